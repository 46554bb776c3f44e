"""Answers from outside: a task is exported, and what comes back is measured as a method's answers are."""

import json

import numpy as np
import polars
import pytest

from bench.data.task import Task
from bench.store.columns import read_answers
from bench.store.results import Store

DATA = "synthetic:interactions=30000,items=300"
TASK = ("--dataset", DATA, "--protocol", "user-holdout:users=100")


@pytest.fixture
def exported(call, tmp_path):
    """A run of item_cf, its task's folder and the tables that are exported of it."""
    assert call("run", "-m", "item_cf", *TASK, "--k", "20", "--timing", "none", "-q")[0] == 0
    code, out, err = call("data", "export", DATA, "--protocol", "user-holdout:users=100", "--out", "task")
    assert code == 0, err
    assert [line.rpartition("/")[2] for line in out.split()] == [
        "training.parquet",
        "requests.parquet",
        "items.parquet",
    ]
    record = Store(tmp_path / "results").records()[-1]
    task = Task.open(tmp_path / "cache" / "tasks" / record["task"]["folder"])
    return record, task, {name: polars.read_parquet(tmp_path / "task" / f"{name}.parquet") for name in EXPORTED}


EXPORTED = ("training", "requests", "items")


def answers_of(store, record, task, parts=("validation", "test")):
    """The answers of a run as a system outside would write them."""
    tables = []
    for part in parts:
        keys, ids = read_answers(store.folder(record["run_id"]), part)
        ranks = np.concatenate([np.arange(1, length + 1) for length in ids.lengths])
        columns = {"request": np.repeat(keys, ids.lengths), "rank": ranks, "item": task.item_ids(ids.values)}
        tables.append(polars.DataFrame(columns))
    return polars.concat(tables)


def test_an_export_is_what_a_method_sees_and_holds_no_target(exported):
    _, task, tables = exported
    log = task.training().interactions
    assert tables["training"]["item"].to_list() == task.item_ids(log.items)
    assert tables["training"]["time"].to_list() == log.timestamps.tolist()
    assert set(tables["requests"].columns) == {"part", "request", "user", "history", "exclude", "time"}
    assert len(tables["items"]) == task.about["items"] and tables["items"]["answerable"].all()
    for part in ("validation", "test"):
        requests, targets = task.requests(part), task.targets(part)
        mine = tables["requests"].filter(part=part)
        assert mine["request"].to_list() == requests.keys.tolist()
        for row in (0, len(requests) - 1):
            assert mine["history"][row].to_list() == task.item_ids(requests.history[row])
            assert not set(mine["history"][row]) & set(task.item_ids(targets[row]))


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_methods_own_answers_from_outside_have_its_metrics(call, tmp_path, exported, kind):
    record, task, _ = exported
    given = answers_of(Store(tmp_path / "results"), record, task).sample(fraction=1.0, shuffle=True, seed=0)
    getattr(given, f"write_{kind}")(tmp_path / f"ours.{kind}")
    code, out, err = call("score", f"ours.{kind}", *TASK, "--k", "20", "--json", "scored.json")
    assert code == 0, err
    assert "ours" in out
    scored = json.loads((tmp_path / "scored.json").read_text())
    assert scored["metrics"] == record["metrics"] and scored["validation"] == record["validation"]
    assert scored["task"]["fingerprint"] == record["task"]["fingerprint"]
    code, out, err = call("compare", record["run_id"], "latest")
    assert code == 0 and "not distinguishable" in out, err
    assert "made it" in call("reproduce", "latest")[2]


def test_requests_without_an_answer_find_nothing_and_validation_may_be_left_out(call, tmp_path, exported):
    record, task, _ = exported
    given = answers_of(Store(tmp_path / "results"), record, task, ["test"])
    everyone = given["request"].unique(maintain_order=True)
    some = everyone[: len(everyone) // 3]
    given.filter(polars.col("request").is_in(some.to_list())).write_parquet(tmp_path / "ours.parquet")
    code, _, err = call("score", "ours.parquet", *TASK, "--k", "20", "--name", "half a system", "--json", "scored.json")
    assert code == 0
    assert f"{len(everyone) - len(some)} of {len(everyone)} test requests have no answer" in err
    scored = json.loads((tmp_path / "scored.json").read_text())
    assert scored["method"]["name"] == "half a system" and scored["validation"] == {}
    hits = polars.read_parquet(Store(tmp_path / "results").file(record["run_id"], "requests.parquet"))
    hits = hits.filter(part="test").select("key", "recall@20")
    expected = hits.filter(polars.col("key").is_in(some.to_list()))["recall@20"].sum() / len(everyone)
    assert scored["metrics"]["recall@20"]["value"] == pytest.approx(expected, abs=1e-6)  # kept as float32


def test_answers_that_cannot_be_judged_are_refused_with_the_mend(call, tmp_path, exported):
    record, task, tables = exported
    given = answers_of(Store(tmp_path / "results"), record, task, ["test"])
    asked = tables["requests"].filter(part="test")
    first, seen = asked["request"][0], asked["exclude"][0][0]

    def refusal(table, name="ours.parquet"):
        table.write_parquet(tmp_path / name)
        code, _, err = call("score", name, *TASK, "--k", "20", "-q")
        assert code in (1, 2)
        return " ".join(err.split())

    before = len(Store(tmp_path / "results").folders())
    assert "has no column rank" in refusal(given.drop("rank"))
    assert "are read from .parquet or .csv" in refusal(given, "ours.txt")
    assert "is not there" in call("score", "nothing.csv")[2] or "does not exist" in call("score", "nothing.csv")[2]
    strange = given.with_columns(item=polars.when(polars.col("rank") == 3).then(polars.lit("?")).otherwise("item"))
    assert "none of the catalog: ?" in refusal(strange)
    assert "none of this task" in refusal(given.with_columns(request=polars.col("request") + 7))
    assert "has rank 1 twice" in refusal(polars.concat([given, given[:1]]))
    again = given.with_columns(rank=polars.col("rank") + 100)
    assert "an item twice" in refusal(polars.concat([given[:5], again[:5]]))
    own = polars.DataFrame({"request": [first], "rank": [0], "item": [seen]}, schema=given.schema)
    assert f"request {first}: an excluded (already seen) item" in refusal(polars.concat([given, own]))
    assert "rows without item" in refusal(given.with_columns(item=polars.lit(None, polars.Utf8)))
    words = given.with_columns(request=polars.lit("first"))
    assert "must be whole numbers" in refusal(words)
    assert "answers no test request" in refusal(answers_of(Store(tmp_path / "results"), record, task, ["validation"]))
    assert len(Store(tmp_path / "results").folders()) == before  # nothing was kept
