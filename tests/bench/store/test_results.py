import json
import platform
from pathlib import Path

import numpy as np
import pytest

from bench import Answer
from bench.errors import StoreError, UnknownName
from bench.store import columns, results
from bench.store.results import Store


def put(store, spec, value):
    with store.execution(spec) as folder:
        results.write(folder, {"status": "ok", "value": value, "metrics": {"recall@10": {"value": 0.5}}})


def test_executions_lie_under_their_spec_and_are_found_by_the_beginning_of_their_name(tmp_path):
    store = Store(tmp_path)
    put(store, "abc", 1)
    put(store, "abd", 2)
    assert [record["value"] for record in store.records()] == [1, 2]
    assert store.find("abc")["value"] == 1
    assert store.find(store.find("abd")["run_id"])["value"] == 2
    assert store.executions("abc")[0]["run_id"].startswith("abc/")
    assert store.frame()["metrics.recall@10.value"].tolist() == [0.5, 0.5]
    with pytest.raises(StoreError, match="several runs"):
        store.find("ab")
    with pytest.raises(UnknownName, match="Known: abc/"):
        store.find("zz")


def test_short_ids_name_their_runs(tmp_path):
    store = Store(tmp_path)
    for spec, value in (("abcd1", 1), ("abcd2", 2), ("f00d3", 3), ("abcd1", 4), ("f00d3", 5)):
        put(store, spec, value)
    short = store.short_ids()
    assert [store.find(short[record["run_id"]])["value"] for record in store.records()] == [1, 2, 3, 4, 5]
    newest = store.find("f00d3")["run_id"]
    assert (short[newest], short[store.find("abcd2")["run_id"]]) == ("f00d", "abcd2")
    assert short[store.records()[0]["run_id"]].startswith("abcd1/2")


def test_latest_is_the_last_execution_of_any_spec(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(UnknownName, match="no run 'latest'"):
        store.find("latest")
    for value, spec in enumerate(("b", "c", "a", "c", "b")):
        put(store, spec, value)
        assert store.find("latest")["value"] == value


def test_a_failure_while_writing_leaves_nothing(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.execution("abc") as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    with pytest.raises(StoreError, match="No space left"), store.execution("abc"):
        raise OSError(28, "No space left on device")
    assert not store.records()
    assert not list(store.runs.iterdir())


def test_what_a_killed_run_left_is_swept_and_a_living_ones_is_not(tmp_path):
    store = Store(tmp_path)
    host = platform.node()
    dead, alive = store.runs / f".begun-{host}@999999999-x", store.runs / f".begun-{host}@1-x"
    on_another = store.runs / f".begun-{host}-2@999999999-x"  # which shares the folder
    for folder in (dead, alive, on_another):
        folder.mkdir(parents=True)
    put(store, "abc", 1)
    assert not dead.exists()
    assert on_another.exists()
    assert alive.exists() == Path("/proc/1").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(StoreError, match="--results"), Store(tmp_path).execution("abc"):
        pass


def test_a_damaged_record_is_named(tmp_path):
    store = Store(tmp_path)
    put(store, "abc", 1)
    (store.folders()[0] / "result.json").write_text("{")
    with pytest.raises(StoreError, match=r"result\.json cannot be read"):
        store.records()


@pytest.mark.parametrize("line", ["{", "3", '{"status": "ok"}'])
def test_a_damaged_line_of_published_records_is_named(tmp_path, line):
    (tmp_path / "records.jsonl").write_text(f'{{"run_id": "a/1"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(StoreError, match=r"records\.jsonl, line 2"):
        Store(tmp_path).listed()


def test_a_record_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        results.write(tmp_path, {"value": float("nan")})
    assert not list(tmp_path.iterdir())
    assert json.loads("1") == 1


def test_columns_come_back_as_they_were(tmp_path):
    ids = np.array([[3, 4], [5, -1]], np.int32)
    answer = Answer(ids, np.array([[2, 1], [1, -np.inf]], np.float32))
    keys = np.array([10, 11])
    columns.write_answers(tmp_path / "answers.parquet", {"validation": (keys + 5, answer), "test": (keys, answer)})
    read, rows = columns.read_answers(tmp_path)
    assert read.tolist() == [10, 11]
    assert [list(row) for row in rows] == [[3, 4], [5]]
    parts = {"validation": {"key": keys}, "test": {"key": keys, "recall@10": np.array([0.5, np.nan], np.float32)}}
    columns.write_requests(tmp_path / "requests.parquet", parts)
    table = columns.read_requests(tmp_path)
    assert table.num_rows == 2
    assert table["recall@10"].to_pylist() == [0.5, None]
