import csv
import io
import json

from bench.report import formats, rows


def test_markdown_is_one_table_with_the_bound_and_the_failure(records):
    text = formats.markdown(rows.group(records, short_ids={records[3]["run_id"]: "3f2a"}))
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines] == ["method", "---", "dvf", "item_cf", "bayes (bound)"]
    assert [line.split("|")[-2].strip() for line in lines] == ["run", "---", "3f2a", "", ""]
    assert "- ease grew past its memory limit" in text


def test_csv_has_one_line_a_run_at_full_precision(records):
    lines = list(csv.DictReader(io.StringIO(formats.comma_separated(rows.group(records)))))
    assert sorted(line["method"] for line in lines) == ["bayes", "dvf", "ease", "item_cf"]
    dvf = next(line for line in lines if line["method"] == "dvf")
    assert float(dvf["ndcg@10"]) == records[3]["metrics"]["ndcg@10"]["value"]
    assert float(dvf["recall@50 low"]) == records[3]["metrics"]["recall@50"]["low"]
    assert dvf["index_peak_rss_bytes"] == "700000000"


def test_json_gives_the_records_back(records):
    found = json.loads(formats.json_list(rows.group(records)))
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, records))
    assert [json.loads(line) for line in formats.json_lines(records).splitlines()] == records


def test_latex_escapes_and_rules_off_the_bound(records):
    text = formats.latex(rows.group(records))
    assert r"item\_cf" in text
    assert r"0.5\%" in text
    body = text.splitlines()
    bayes = next(at for at, line in enumerate(body) if line.startswith("bayes"))
    assert body[bayes - 1] == r"\midrule"
