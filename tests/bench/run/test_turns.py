"""Methods that take turns in processes of their own."""

import dataclasses
import os

import numpy as np
import psutil
import pytest

from bench.errors import Unavailable, UsageError, WorkerCrashed
from bench.run.lifecycle import run
from bench.run.plan import Home, Limits, Plan
from bench.run.turn_record import medians
from bench.run.turns import Contender, Course, check_memory, job_of, kinds, take

METHOD = '''
import os, time
from dataclasses import dataclass
import numpy as np
from bench import Answer, hookimpl, param


@dataclass
class Mine:
    """Sleeps, and dies in its first single call where it is told to."""

    pause: float = param(0.0, phase="query", help="seconds of a call")
    dies: bool = param(False, phase="query", help="whether it does")

    @hookimpl
    def train(self, data): ...

    @hookimpl
    def index(self, catalog):
        self.size = catalog.size

    @hookimpl
    def query(self, requests, k):
        if self.dies and len(requests) == 1: os._exit(3)
        time.sleep(self.pause)
        scores = np.zeros((len(requests), self.size), np.float32)
        return Answer.top(np.arange(self.size, dtype=np.int32), scores, k, requests.exclude)
'''
KEEP = """
    @hookimpl
    def save(self, folder, phase):
        if phase == "index": np.save(folder / "size.npy", self.size)

    @hookimpl
    def load(self, folder, phase):
        if phase == "index": self.size = int(np.load(folder / "size.npy"))
"""


class Watcher:
    def __init__(self):
        self.steps = []

    def stage(self, name, note=""): ...

    def log(self, line): ...

    def progress(self, done, total, note=""):
        self.steps.append((done, total, note))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("results"), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, home):
    """finished(label, keeps, **settings): a run that is there, ready to be timed."""
    folder = tmp_path_factory.mktemp("method")
    rows = [f"u{user},i{(user * 7 + at * 3) % 31},{at}" for user in range(40) for at in range(12)]
    (folder / "clicks.csv").write_text("\n".join(["user,item,time", *rows]) + "\n", encoding="utf-8")

    def finished(label, keeps=True, **settings):
        file = folder / f"{'keeping' if keeps else 'forgetful'}.py"
        file.write_text(METHOD + (KEEP if keeps else ""), encoding="utf-8")
        data, protocol = folder / "clicks.csv", "user-holdout:users=10,min_interactions=5"
        plan = Plan(f"{file}:Mine", data=data, protocol=protocol, settings=settings, ks=(5,), timing="none")
        record = run(plan, home, Watcher())
        assert record["status"] == "ok", record
        return Contender(label, plan, record)

    return finished


def test_methods_take_turns_there_and_back_and_one_that_dies_is_named(finished, home):
    quick, slow, dying = finished("quick"), finished("slow", pause=0.004), finished("dying", dies=True)
    jobs = {one.label: job_of(one, home) for one in (quick, slow, dying)}
    jobs["quick again"] = jobs["quick"]
    course = Course(("single", "batch"), starts=1, seconds=0.02, requests=quick.record["task"]["requests"])
    watch = Watcher()
    turns, failed = take(jobs, {"quick", "quick again"}, course, Limits(), home, watch)
    assert list(failed) == ["dying"] and "exit code 3" in failed["dying"]
    assert {turn.label for turn in turns} == {"quick", "quick again", "slow"}
    singles = [turn for turn in turns if turn.calls.mode == "single"]
    there, back = ([turn.label for turn in singles if turn.round == each] for each in (0, 1))
    assert sorted(there) == ["quick", "quick again", "slow"] and back == there[::-1]
    asked = {each: [set(turn.calls.rows) for turn in singles if turn.round == each] for each in (0, 1)}
    assert all(one == some[0] for some in asked.values() for one in some), "all methods are asked the same"
    assert all(len(turn.calls.rows) % len(set(turn.calls.rows)) == 0 for turn in singles), "in whole passes"
    seconds = {label: medians([turn for turn in singles if turn.label == label], 1) for label in ("quick", "slow")}
    assert seconds["slow"].shape == (1, 2) and (seconds["slow"] >= 0.004).all()
    assert (seconds["quick"] < 0.004).all()
    assert all(turn.calls.seconds.sum() >= 0.02 for turn in turns if turn.calls.mode == "batch")
    assert [done for done, *_ in watch.steps] == list(range(1, 4 * (1 + 2 * 2) + 1))
    assert watch.steps[-1][0] == watch.steps[-1][1]
    assert not psutil.Process(os.getpid()).children(recursive=True)
    assert not list((home.cache / "scratch").iterdir())


def test_without_the_baseline_there_is_nothing_to_compare_with(finished, home):
    dying = finished("dying", dies=True)
    course = Course(("single",), starts=1, seconds=0.01, requests=dying.record["task"]["requests"])
    with pytest.raises(WorkerCrashed, match=r"dying: .*exit code 3"):
        take({"dying": job_of(dying, home)}, {"dying"}, course, Limits(), home, Watcher())
    assert not psutil.Process(os.getpid()).children(recursive=True)


def test_a_run_that_cannot_be_opened_says_why(finished, home, tmp_path):
    with pytest.raises(Unavailable, match="no save and load"):
        job_of(finished("forgetful", keeps=False), home)
    quick = finished("quick")
    with pytest.raises(Unavailable, match="train phase left is not whole in the cache"):
        job_of(quick, dataclasses.replace(home, cache=tmp_path))
    provenance = {"build": {**quick.record["provenance"]["build"], "source": "another"}}
    with pytest.raises(Unavailable, match="source has changed"):
        job_of(dataclasses.replace(quick, record={**quick.record, "provenance": provenance}), home)


def test_processes_that_do_not_fit_into_memory_are_refused(finished):
    quick = finished("quick")
    check_memory([quick], quick)
    large = dataclasses.replace(quick, record={"phases": {"query": {"peak_rss_bytes": 1 << 50}}})
    with pytest.raises(UsageError, match=r"3 processes would need about .* fewer methods by --methods"):
        check_memory([quick, large], quick)


def test_only_modes_that_can_be_interrupted_take_turns():
    assert kinds(("single", "batch")) == ("single", "batch")
    assert kinds(("device",)) == ("device", "device batch")
    with pytest.raises(UsageError, match="mode load takes no turns"):
        kinds(("load",))


def test_a_turns_time_is_its_median_call(finished, home):
    quick = finished("quick")
    course = Course(("batch",), starts=1, seconds=0.0, requests=quick.record["task"]["requests"])
    turns, failed = take({"quick": job_of(quick, home)}, set(), course, Limits(), home, Watcher())
    assert not failed
    expected = [[np.median(turn.calls.seconds) for turn in turns]]
    assert medians(turns, 1).tolist() == expected
