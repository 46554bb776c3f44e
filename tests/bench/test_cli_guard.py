"""`bench gate`, `bench reproduce` and `bench compare` of suites and revisions, over real runs and changed copies."""

import json
import shutil

import polars
import pytest

from bench import cli
from bench.store import results
from bench.store.columns import REQUESTS
from bench.store.results import Store

DATA = "synthetic:interactions=8000,items=300"
SUITE = f"""title = "ours"
datasets = ["{DATA}"]
protocols = ["user-holdout:users=200"]
ks = [10, 20]
timing = "single"
[[methods]]
name = "item_cf"
[[methods]]
name = "popularity"
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """The results and the cache of a suite that was run once."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "ours.toml").write_text(SUITE, encoding="utf-8")
    words = ["sweep", folder / "ours.toml", "-q", "--results", folder / "results", "--cache", folder / "cache"]
    with pytest.raises(SystemExit) as end:
        cli.main(list(map(str, words)))
    assert end.value.code == 0
    return folder


@pytest.fixture
def swept(call, once, tmp_path):
    """The store of a suite that was run, and a copy of it from before."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    shutil.copytree(tmp_path / "results", tmp_path / "kept")
    return Store(tmp_path / "results")


def change(store, method, **changes):
    """Rewrite a record in place: what a regression would look like."""
    folder = next(one for one in store.folders() if results.read(one)["method"]["name"] == method)
    record = results.read(folder)
    for path, value in changes.items():
        *keys, last = path.split("__")
        at = record
        for key in keys:
            at = at[key]
        at[last] = value
    results.write(folder, record)


def test_a_gate_lets_equal_results_through(call, swept):
    code, out, _ = call("gate", "ours.toml", "--against", "kept", "--json", "checks.json")
    assert code == 0
    assert "Nothing is worse" in out
    checks = json.loads((swept.root.parent / "checks.json").read_text())
    assert {one["name"] for one in checks} == {"recall@20", "p50 ms", "peak memory", "artifacts"}
    assert all(one["verdict"] == "passed" for one in checks)


@pytest.mark.parametrize(
    ("changes", "measurement"),
    [
        ({"latency_ms__p50": 1e6}, "p50 ms"),
        ({"phases__train__peak_rss_bytes": 1 << 45}, "peak memory"),
        ({"phases__index__artifact_bytes": 1 << 45}, "artifacts"),
        ({"status": "timeout"}, "run"),
    ],
)
def test_a_gate_stops_at_each_kind_of_regression(call, swept, changes, measurement):
    change(swept, "item_cf", **changes)
    code, out, _ = call("gate", "ours.toml", "--against", "kept", "--json", "checks.json")
    assert code == 1
    assert "1 of" in out and "worse than" in out
    checks = json.loads((swept.root.parent / "checks.json").read_text())
    assert [(one["label"], one["name"]) for one in checks if one["verdict"] == "worse"] == [("item_cf", measurement)]
    if measurement != "run":
        options = ("--latency", "0", "--memory", "0", "--size", "0")
        assert call("gate", "ours.toml", "--against", "kept", *options)[0] == 0


def test_a_gate_stops_at_a_fall_of_quality_that_chance_would_not_make(call, swept):
    path = swept.file(next(one["run_id"] for one in swept.records() if one["method"]["name"] == "item_cf"), REQUESTS)
    values = polars.read_parquet(path)
    values.with_columns(polars.col("recall@20") * 0).write_parquet(path)
    code, out, _ = call("gate", "ours.toml", "--against", "kept", "--latency", "0")
    assert code == 1 and "recall@20" in out
    assert call("gate", "ours.toml", "--against", "kept", "--latency", "0", "--quality", "0.9")[0] == 0
    code, out, _ = call("gate", "ours.toml", "--against", "kept", "--latency", "0", "--metric", "recall@3")
    assert "not measured on both sides" in out


def test_a_gate_does_not_judge_times_of_another_machine(call, swept):
    change(swept, "item_cf", latency_ms__p50=1e6, machine__cpu="Another")
    code, out, _ = call("gate", "ours.toml", "--against", "kept")
    assert code == 0 and "not judged" in out


def test_a_gate_says_what_to_run_where_results_are_missing(call, swept, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = call("gate", "ours.toml", "--against", "empty")
    assert code == 2 and "bench sweep ours.toml --results empty" in " ".join(err.split())
    code, _, err = call("gate", "ours.toml", "--against", "kept", "--results", "empty")
    assert code == 2 and "bench sweep ours.toml --results empty" in " ".join(err.split())


def test_a_gate_reads_published_results(call, swept):
    pytest.importorskip("altair")
    assert call("publish", "ours.toml", "--out", "site")[0] == 0
    code, out, err = call("gate", "ours.toml", "--against", "site")
    assert code == 0 and "p " in out, err


def test_a_run_carried_out_again_is_equal_to_the_last_digit(call, swept):
    run = next(one["run_id"] for one in swept.records() if one["method"]["name"] == "item_cf")
    code, out, err = call("reproduce", run)
    assert code == 0, err + out
    assert "metrics are equal to the last digit" in out
    again = Store(swept.root).find("latest")
    assert again["run_id"] != run and not again["phases"]["train"]["cached"]


def test_what_differs_is_told(call, swept):
    change(swept, "item_cf", metrics__x=1.0, machine__cpu="Another", machine__libraries={"numpy": "1.0"})
    run = next(one["run_id"] for one in swept.records() if one["method"]["name"] == "item_cf")
    code, out, _ = call("reproduce", run, "-q")
    assert code == 1
    assert "1 measurements differ" in out and "Another" in out and "numpy" in out


def test_a_published_row_can_be_had_again_elsewhere(call, swept, tmp_path):
    record = swept.records()[-1]
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "records.jsonl").write_text(json.dumps(record) + "\n", encoding="utf-8")
    code, out, err = call("reproduce", record["spec_id"][:6], "--published", "site", "--results", "other")
    assert code == 0, err + out
    assert len(Store(tmp_path / "other").records()) == 1


def test_a_record_that_cannot_be_had_again_says_why(call, swept):
    change(swept, "item_cf", provenance__asked={"method": "gone/mine.py:LSH"})
    change(swept, "popularity", status="timeout")
    runs = {one["method"]["name"]: one["run_id"] for one in swept.records()}
    assert "put the file back" in call("reproduce", runs["item_cf"])[2]
    assert "ended as 'timeout'" in call("reproduce", runs["popularity"])[2]


def test_two_suites_are_compared_by_label(call, swept, tmp_path):
    other = SUITE.replace('name = "item_cf"', 'name = "item_cf"\nset = { neighbours = 5 }').replace('"ours"', '"fewer"')
    (tmp_path / "fewer.toml").write_text(other.replace('[[methods]]\nname = "popularity"\n', ""), encoding="utf-8")
    assert call("sweep", "fewer.toml", "-q")[0] == 0
    code, out, err = call("compare", "ours.toml", "fewer.toml")
    assert code == 0, err
    row = next(line for line in out.splitlines() if "item_cf" in line)
    assert "worse" in row or "better" in row or "not distinguishable" in row
    assert "popularity on" in out and "fewer has no run" in out


def test_revisions_are_compared_by_the_runs_made_at_both(call, swept, monkeypatch):
    commits = {"main": "a" * 40, "faster": "b" * 40}
    monkeypatch.setattr("bench.report.pairs._commit_of", lambda name, folder: commits.get(name))
    for folder in swept.folders():
        record = results.read(folder)
        record["provenance"] |= {"commit": commits["main"], "dirty": False}
        results.write(folder, record)
        with swept.execution(record["spec_id"]) as copy:
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            record["provenance"]["commit"] = commits["faster"]
            results.write(copy, record)
    code, out, err = call("compare", "main", "faster")
    assert code == 0, err
    assert out.count("not distinguishable") == 2
    commits["faster"] = "c" * 40
    code, _, err = call("compare", "main", "faster")
    assert code == 2 and "2 at aaaaaaaa and 0 at cccccccc" in " ".join(err.split())
    assert "there is no run 'nowhere'" in call("compare", "main", "nowhere")[2]
