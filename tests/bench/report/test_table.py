import io

import pytest
from rich.console import Console

from bench.report import rows, table


def shown(records, width=120, short_ids=None):
    console = Console(file=io.StringIO(), width=width)
    table.show(console, rows.group(records, short_ids=short_ids))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [50, 80, 100, 120, 160])
def test_no_line_is_wider_than_the_terminal_and_no_cell_is_cut(records, width):
    text = shown(records, width, {record["run_id"]: f"{at}f2a" for at, record in enumerate(records)})
    assert max(map(len, text.splitlines())) <= width
    assert [line[-4:] for line in text.splitlines() if line.startswith(("dvf", "item_cf", "bayes"))] == [
        "3f2a",
        "1f2a",
        "2f2a",
    ]
    assert "…" not in text


def test_the_header_is_whole_above_short_names(made):
    assert "method" in shown([made.finished("dvf")])


@pytest.mark.parametrize("short_ids", [{}, {"0": "3f2a"}])
def test_at_120_columns_everything_is_there(records, short_ids):
    records[-1]["run_id"] = "0"
    text = shown(records, 120, short_ids)
    assert ("run" in text.splitlines()[3]) == bool(short_ids)
    for value in (
        ".206 ±.008",
        ".412 ±.008",
        ".618 ±.008",
        ".137",
        ".414",
        "0.5%",
        "6.2%",
        "1.23",
        "2.51",
        "1,834",
        "812 MB",
    ):
        assert value in text


def test_at_80_columns_the_main_recall_keeps_its_interval_and_latency_stays(records):
    text = shown(records, 80)
    assert ".412 ±.008" in text
    assert "1.23" in text
    assert "812 MB" not in text


def test_the_bound_stands_below_a_rule_and_is_not_ranked(records):
    lines = shown(records).splitlines()
    bound = next(at for at, line in enumerate(lines) if line.startswith("bayes (bound)"))
    assert set(lines[bound - 1].strip()) == {"─"}
    assert lines[bound - 2].startswith("item_cf")


def test_rows_are_sorted_by_recall_and_failures_come_as_sentences(records):
    text = shown(records)
    assert text.index("dvf") < text.index("item_cf") < text.index("bayes (bound)") < text.index("✗ ease")
    assert "grew past its memory limit: train grew past 2.0 GB" in text


def test_rows_of_one_method_are_told_apart_by_what_differs(made):
    other = made.finished(recall=0.38, method={"name": "dvf", "params": {"ef": 50}, "reference": False})
    text = shown([made.finished(), other])
    assert "dvf ef=100" in text
    assert "dvf ef=50" in text


def test_each_task_has_its_own_table(made):
    other = made.finished("ease")
    other["task"] = {**other["task"], "title": "Other data", "fingerprint": "beef"}
    text = shown([made.finished(), other])
    assert text.index("Synthetic") < text.index("Other data")
    assert text.count("─ ") == 0 or text.count("method") == 2


def test_work_in_another_unit_is_not_shown_as_items_scored(made):
    text = shown([made.finished(work={"unit": "tree nodes", "mean": 10, "share": 0.0617})])
    assert "scored " not in text.split("▸")[0]
    assert "6.2%" not in text


def test_a_table_of_failures_only_has_no_columns(made):
    text = shown([made.failure()])
    assert "recall" not in text
    assert "✗ ease" in text
