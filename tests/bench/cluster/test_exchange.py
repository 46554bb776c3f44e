"""Artifacts and results through a URL of fsspec."""

import json
import shutil

import pytest

from bench.cluster.exchange import Exchange
from bench.errors import StoreError, Unavailable
from bench.run import artifacts
from bench.store import results
from bench.store.results import Store

pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'bench[ray]'")


@pytest.fixture(params=["file", "memory"])
def url(request, tmp_path):
    if request.param == "file":
        return f"file://{tmp_path}/between"
    return f"memory://{tmp_path.name}/between"


def node(url, tmp_path, name):
    cache = tmp_path / name / "cache"
    return Exchange(url, cache), cache / "artifacts" / "dvf" / "train-0123"


def train(text):
    def make(state):
        (state / "deep").mkdir()
        (state / "deep" / "weights.txt").write_text(text)
        return {"seconds": 3.0}

    return make


def test_what_one_node_trained_another_takes_over(url, tmp_path):
    here, final = node(url, tmp_path, "a")
    _, measured = artifacts.obtain(final, train("one"), print, here)
    assert not measured["cached"]
    there, final = node(url, tmp_path, "b")
    state, measured = artifacts.obtain(final, pytest.fail, print, there)
    assert (state / "deep" / "weights.txt").read_text() == "one"
    assert measured["cached"]
    assert measured["seconds"] == 3.0


def test_an_upload_that_was_cut_off_is_not_there_for_others(url, tmp_path, monkeypatch):
    here, final = node(url, tmp_path, "a")
    files, _ = here._open()

    def cut_off(source, *_):
        if source.endswith("artifact.json"):
            raise OSError("the node died")
        put(source, *_)

    put = files.put_file
    monkeypatch.setattr(files, "put_file", cut_off)
    with pytest.raises(OSError, match="died"):
        artifacts.obtain(final, train("one"), print, here)
    monkeypatch.undo()
    there, final = node(url, tmp_path, "b")
    state, measured = artifacts.obtain(final, train("two"), print, there)
    assert not measured["cached"]
    third, final = node(url, tmp_path, "c")
    state, measured = artifacts.obtain(final, pytest.fail, print, third)
    assert (state / "deep" / "weights.txt").read_text() == "two"


def test_an_artifact_that_was_damaged_on_its_way_is_made_and_handed_on_anew(url, tmp_path):
    here, final = node(url, tmp_path, "a")
    artifacts.obtain(final, train("one"), print, here)
    files, root = here._open()
    files.pipe_file(f"{root}/artifacts/dvf/train-0123/state/deep/weights.txt", b"other")
    there, final = node(url, tmp_path, "b")
    said = []
    _, measured = artifacts.obtain(final, train("two"), said.append, there)
    assert not measured["cached"]
    assert "damaged" in said[0]
    third, final = node(url, tmp_path, "c")
    state, _ = artifacts.obtain(final, pytest.fail, print, third)
    assert (state / "deep" / "weights.txt").read_text() == "two"


def test_executions_come_whole_and_once(url, tmp_path):
    exchange, _ = node(url, tmp_path, "a")
    made, gathered = Store(tmp_path / "made"), Store(tmp_path / "gathered")
    for spec in ("aaaa", "bbbb"):
        with made.execution(spec) as folder:
            (folder / "answers.parquet").write_bytes(b"answers")
            results.write(folder, {"status": "ok", "spec_id": spec})
        exchange.offer_run(made.folders()[-1])
    assert exchange.gather(gathered) == 2
    assert gathered.records() == made.records()
    assert (gathered.folder("aaaa") / "answers.parquet").read_bytes() == b"answers"
    assert exchange.gather(gathered) == 0
    shutil.rmtree(gathered.folder("aaaa"))
    assert exchange.gather(gathered) == 1
    assert not [path for path in gathered.runs.iterdir() if path.name.startswith(".")]


def test_an_execution_without_its_record_does_not_count(url, tmp_path):
    exchange, _ = node(url, tmp_path, "a")
    files, root = exchange._open()
    files.makedirs(f"{root}/runs/aaaa/2026", exist_ok=True)
    files.pipe_file(f"{root}/runs/aaaa/2026/.result.json.5f", json.dumps({}).encode())
    store = Store(tmp_path / "gathered")
    assert exchange.gather(store) == 0
    assert store.records() == []


def test_a_place_that_cannot_be_used_is_said_at_once(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="name another place"):
        Exchange(f"file://{tmp_path}/file/between", tmp_path).check()
    with pytest.raises((StoreError, Unavailable), match="nowhere"):
        Exchange("nowhere://bucket", tmp_path).check()
    Exchange(f"file://{tmp_path}/between", tmp_path).check()
    assert list((tmp_path / "between").iterdir()) == []
