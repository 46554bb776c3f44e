"""One run on a node."""

import dataclasses

import pytest

from bench.cluster.demand import Demand
from bench.cluster.exchange import Exchange
from bench.cluster.node import Errand, carry_out
from bench.errors import ClusterError
from bench.run.plan import Home, Plan
from bench.run.prepared import method_of
from bench.store.results import Store

DATA = "synthetic:items=300,interactions=3000"
PLAN = Plan("popularity", DATA, protocol="next-item:users=20", ks=(10,), timing="none", threads=1)


def errand(home, tmp_path, plan=PLAN, **changes):
    asked = {"home": home, "folder": tmp_path, "source": method_of(plan).source}
    return Errand(7, plan, Demand(1), **asked | changes)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path / "results", tmp_path / "cache")


def test_a_node_without_the_shared_folder_or_with_other_code_is_refused(home, tmp_path):
    with pytest.raises(ClusterError, match=r"does not see .*results.* --through"):
        carry_out(errand(home, tmp_path, tokens=(home.results / ".sweep-1",)), print)
    with pytest.raises(ClusterError, match="install the same packages"):
        carry_out(errand(home, tmp_path, source="another digest"), print)


def test_a_run_is_told_of_stage_by_stage_and_says_where_it_was(home, tmp_path):
    told = []
    back = carry_out(errand(home, tmp_path), lambda number, news: told.append((number, news.stage)))
    assert back.record["status"] == "ok"
    assert back.worked
    assert back.record["machine"]["host"] == back.host
    assert {number for number, _ in told} == {7}
    assert list(dict.fromkeys(stage for _, stage in told))[:5] == ["data", "prepare", "train", "index", "query"]
    assert Store(home.results).find("latest")["run_id"] == back.record["run_id"]


def test_with_an_exchange_a_result_goes_there_alone_and_answers_the_same_run_elsewhere(home, tmp_path):
    pytest.importorskip("fsspec", reason="fsspec is not installed: pip install 'bench[ray]'")
    exchange = Exchange(f"file://{tmp_path}/between", home.cache)
    there = dataclasses.replace(home, elsewhere=exchange)
    first = carry_out(errand(there, tmp_path), lambda *_: None)
    run = first.record["run_id"]
    assert not home.results.exists()
    here = Store(tmp_path / "here")
    assert exchange.gather(here) == 1
    assert here.find(run)["metrics"] == first.record["metrics"]

    known = {run: here.text(run)}
    second = carry_out(
        errand(Home(home.results, home.cache, elsewhere=exchange), tmp_path, known=known), lambda *_: None
    )
    assert second.record["run_id"] == run
    assert not second.worked
    assert exchange.gather(here) == 0
    assert not [path for path in (home.cache / "scratch").iterdir() if path.is_dir()]


def test_what_cannot_begin_is_a_record(home, tmp_path):
    (tmp_path / "clicks.csv").write_text("neither,nor\n1,2\n")
    plan = Plan("popularity", data=tmp_path / "clicks.csv", timing="none")
    back = carry_out(errand(home, tmp_path, plan), lambda *_: None)
    assert back.record["status"] == "failed"
    assert not back.worked
