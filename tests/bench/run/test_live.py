"""Runs whose catalog changes after the index was built."""

import numpy as np
import pytest

from bench.analysis.comparison import compare
from bench.analysis.regroup import Stored, carried
from bench.data.tables import Catalog
from bench.errors import Unavailable, UsageError
from bench.metrics.groups import training_groups
from bench.run.lifecycle import run
from bench.run.live import change
from bench.run.plan import Home, Live, Plan
from bench.store import columns
from bench.store.results import Store

METHOD = '''
from dataclasses import dataclass, field
import numpy as np
from bench import Answer, hookimpl, param


@dataclass
class Counts:
    """Popularity; new items count as if they had been met."""

    keeps: bool = param(True, phase="query", help="whether items that left are still answered")
    counts_: object = field(init=False, default=None)
    items_: object = field(init=False, default=None)

    @hookimpl
    def train(self, data):
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size).astype(np.float32)

    @hookimpl
    def index(self, catalog):
        self.items_ = catalog.candidates()
        self.counts_ = np.append(self.counts_, np.full(catalog.size - len(self.counts_), 9.5, np.float32))

    @hookimpl
    def query(self, requests, k):
        scores = np.tile(self.counts_[self.items_], (len(requests), 1))
        return Answer.top(self.items_, scores, k, requests.exclude)

    @hookimpl
    def score(self, requests, items):
        return np.tile(self.counts_[items], (len(requests), 1))

    @hookimpl
    def save(self, folder, phase):
        np.save(folder / "counts.npy", self.counts_)
        if phase == "index":
            np.save(folder / "items.npy", self.items_)

    @hookimpl
    def load(self, folder, phase):
        self.counts_ = np.load(folder / "counts.npy")
        if phase == "index":
            self.items_ = np.load(folder / "items.npy")
'''
UPDATE = """
    @hookimpl
    def update(self, catalog, added, removed):
        assert len(self.counts_) < catalog.size, "the index has seen the query catalog"
        self.counts_ = np.append(self.counts_, np.full(catalog.size - len(self.counts_), 9.5, np.float32))
        self.items_ = np.append(self.items_, added)
        if self.keeps:
            self.items_ = np.setdiff1d(self.items_, removed).astype(np.int32)
"""


class Watcher:
    """Nobody."""

    def stage(self, name, note=""):
        pass

    def progress(self, done, total, note=""):
        pass

    def log(self, line):
        pass


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """60 users over 1000 seconds; item i appears at second 20 i."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "clicks.csv"
    rows = ["user,item,time"]
    for user in range(60):
        for time in np.sort(rng.choice(np.arange(100, 1000), 12, replace=False)):
            rows.append(f"u{user},i{rng.integers(time // 20 + 1)},{1_600_000_000 + time}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def go(tmp_path, log, tmp_path_factory):
    home = Home(tmp_path / "results", tmp_path / "cache")

    def go(live=None, source=METHOD + UPDATE, protocol="temporal:test_share=.3,validation_share=.1", **settings):
        file = tmp_path / "mine.py"
        file.write_text(source)
        plan = Plan(
            method=f"{file}:Counts",
            data=log,
            protocol=protocol,
            settings=settings,
            ks=(5, 20),
            timing="none",
            live=live,
        )
        return run(plan, home, Watcher())

    return go


def test_update_brings_the_new_items_and_is_measured(go, tmp_path):
    whole, live = go(), go(Live())
    assert whole["status"] == live["status"] == "ok", live
    assert whole["live"] is None and "update" not in whole["phases"]
    assert live["live"] == {
        "remove": 0.0, "added": live["live"]["added"], "removed": 0, "dropped_targets": 0, "requests_without_target": 0
    }  # fmt: skip
    assert live["live"]["added"] > 5
    assert live["phases"]["update"]["seconds"] > 0 and live["phases"]["update"]["peak_rss_bytes"] > 1 << 20
    assert live["metrics"] == whole["metrics"], "the same items with the same scores"
    assert live["oracle"]["index_loss@20"] == whole["oracle"]["index_loss@20"]
    assert live["spec_id"] != whole["spec_id"]
    assert live["phases"]["train"]["cached"] and not live["phases"]["index"]["cached"]
    answers = [columns.read_answers(Store(tmp_path / "results").folder(one["run_id"])) for one in (whole, live)]
    assert (answers[0][0] == answers[1][0]).all(), "requests can be joined"


def test_removed_items_are_no_answers_and_their_targets_no_targets(go):
    whole, live = go(Live()), go(Live(remove=0.5))
    assert live["status"] == "ok", live
    assert live["phases"]["index"]["cached"], "the index does not depend on what leaves"
    assert live["live"]["removed"] > 5 and live["live"]["dropped_targets"] > 0
    assert live["oracle"]["index_loss@20"]["value"] == pytest.approx(0, abs=1e-9)
    assert live["metrics"]["recall@20"]["value"] > whole["metrics"]["recall@20"]["value"], (
        "there is less to choose from"
    )
    wrong = go(Live(remove=0.5), keeps=False)
    assert wrong["status"] == "invalid" and "not eligible" in wrong["error"]


def test_items_that_left_but_are_scored_are_part_of_the_catalog(go):
    searched = METHOD.replace(
        "return Answer.top(self.items_, scores, k, requests.exclude)",
        "work = np.full(len(requests), len(self.counts_), np.int32)\n"
        "        return Answer.top(self.items_, scores, k, requests.exclude, work)",
    )
    record = go(Live(remove=0.5), source=searched + UPDATE)
    assert record["work"]["mean"] == record["task"]["items"]
    assert record["work"]["share"] == 1


def test_runs_of_different_training_are_compared_on_the_same_new_items(go, tmp_path):
    cut = "temporal:test_share=.3,validation_share="
    records = go(Live()), go(Live(remove=0.2)), go(protocol=f"{cut}.02")
    assert records[0]["task"]["fingerprint"] != records[2]["task"]["fingerprint"]
    store = Store(tmp_path / "results")
    live, left, retrained = (Stored.open(store, one["run_id"], tmp_path / "cache") for one in records)
    for one, record in zip((live, left, retrained), records, strict=True):
        for of, part, name in (("answers", "metrics", "recall@20"), ("oracle", "oracle", "recall@20")):
            assert np.nanmean(one.recall(20, of=of)[1]) == pytest.approx(record[part][name]["value"], abs=1e-6)
    new = training_groups(live.task.popularity(), live.task.about["training_items"])["new"]
    there = carried(new, of=live.task, to=retrained.task)
    assert 0 < new.sum() == there.sum() == records[0]["live"]["added"]
    assert set(live.task.item_ids(np.flatnonzero(new))) == set(retrained.task.item_ids(np.flatnonzero(there)))
    begun = live.task.about["training_ends"]
    assert (new == (live.task.first_seen() >= begun)).all() and (there == (retrained.task.first_seen() >= begun)).all()
    (keys, recalls), (later, others) = live.recall(20, new), retrained.recall(20, there)
    assert (keys == later).all() and (np.isnan(recalls) == np.isnan(others)).all(), "the same targets in both"
    assert np.nanmean(recalls) == pytest.approx(records[0]["metrics"]["recall@20/new"]["value"], abs=1e-6)
    assert np.nanmean(others) != np.nanmean(recalls)
    (found,) = compare({"recall@20": recalls}, {"recall@20": others}, (keys, later), seed=0)
    assert found.requests == np.count_nonzero(~np.isnan(recalls))


def test_a_method_without_update_cannot_be_live(go):
    record = go(Live(), source=METHOD)
    assert record["status"] == "unavailable" and record["phases"] == {}
    assert "mine:Counts has no update hook" in record["error"]


def test_a_share_that_is_none_is_refused():
    with pytest.raises(UsageError, match="from 0 to below 1"):
        Live(remove=1.0)


class FakeTask:
    """Ten items, six known in training, of which the even ones and 7 may be answered."""

    about = {"dataset": "made"}  # noqa: RUF012

    def catalog(self):
        return Catalog(10, eligible=np.array([0, 2, 4, 7], np.int32))

    def training_catalog(self):
        return Catalog(6, eligible=np.array([0, 2, 4], np.int32))


def test_what_changes_is_what_may_be_answered():
    found = change(FakeTask(), Live(remove=0.34), seed=3)
    assert found.before.size == 6 and found.after.size == 10
    assert found.added.tolist() == [7] and len(found.removed) == 1
    assert found.removed.dtype == found.added.dtype == np.int32
    assert sorted([*found.after.candidates(), *found.removed]) == [0, 2, 4, 7]
    again = change(FakeTask(), Live(remove=0.34), seed=3)
    assert again.removed.tolist() == found.removed.tolist()
    assert change(FakeTask(), None, seed=3).after.candidates().tolist() == [0, 2, 4, 7]


def test_nothing_new_and_nothing_gone_is_refused():
    class Still(FakeTask):
        def training_catalog(self):
            return self.catalog()

    with pytest.raises(Unavailable, match="--live would change nothing"):
        change(Still(), Live(), seed=0)
