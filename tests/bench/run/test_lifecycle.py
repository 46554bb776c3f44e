"""Whole runs of small methods from one file, good and bad, on a small log."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.errors import DataError, ParameterError, UnknownName, UsageError
from bench.run.lifecycle import run
from bench.run.plan import Home, Limits, Plan
from bench.store import columns
from bench.store.results import Store

METHOD = '''
import os, signal, sys, time
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
from bench import Answer, hookimpl, param


@dataclass
class Mine:
    """Popularity that can be told to misbehave."""

    train_fault: str = param("", phase="train", help="what goes wrong")
    query_fault: str = param("", phase="query", help="what goes wrong")
    boost: float = param(0.0, phase="index", help="added to every score")
    counts_: object = field(init=False, default=None)

    @hookimpl
    def train(self, data, context):
        fault = self.train_fault
        if fault == "raise": raise ValueError("seven is no prime here")
        if fault == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if fault == "orphan":
            if os.fork(): os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(60)
        if fault == "exit": print("last words", flush=True); os._exit(3)
        if fault == "sleep": os.system("sleep 60"); time.sleep(60)
        if fault == "eat": block = bytearray(1 << 30); time.sleep(60)
        if fault == "cheat":
            task = Path(sys.argv[1]).read_text().split('"task": "')[1].split('"')[0]
            np.load(next(Path(task).glob("targets/test/*.npy")))
        for step in range(5):
            context.progress(step + 1, 5, f"step {step}")
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size).astype(np.float32)

    @hookimpl
    def index(self, catalog):
        self.counts_ = self.counts_ + np.float32(self.boost)

    @hookimpl
    def query(self, requests, k, context):
        if self.query_fault == "raise": raise ValueError("no answer")
        rows = np.broadcast_to(self.counts_, (len(requests), len(self.counts_)))
        answer = Answer.top(np.arange(len(self.counts_), dtype=np.int32), rows, k, requests.exclude)
        if self.query_fault == "twice": answer.ids[:, 1] = answer.ids[:, 0]
        if self.query_fault == "nan": answer.scores[:] = np.nan
        work = np.full(len(requests), len(self.counts_), np.int32)
        return Answer(answer.ids, answer.scores, work)

    @hookimpl
    def score(self, requests, items):
        return np.broadcast_to(self.counts_[items], (len(requests), len(items))).astype(np.float32)
'''
KEEP = """
    @hookimpl
    def save(self, folder, phase):
        np.save(folder / "counts.npy", self.counts_)

    @hookimpl
    def load(self, folder, phase):
        self.counts_ = np.load(folder / "counts.npy")
"""


class Watcher:
    def __init__(self):
        self.stages, self.lines, self.notes = [], [], []

    def stage(self, name, note=""):
        self.stages.append(name)

    def progress(self, done, total, note=""):
        self.notes.append(note)

    def log(self, line):
        self.lines.append(line)


TRACKER = """
class OfflineEmissionsTracker:
    def __init__(self, **asked):
        self._conf = {"hardware": ["CPU(Intel Rapl)"]}
    def start(self):
        pass
    def stop(self):
        self.final_emissions_data = type("Data", (), {"cpu_energy": 1e-6})
"""


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("log") / "clicks.csv"
    rows = ["user,item,time"]
    for user in range(60):
        items = rng.choice(40, 20, replace=False, p=np.arange(40, 0, -1) / 820)
        rows += [f"u{user},i{item},{1_600_000_000 + 1000 * at + user}" for at, item in enumerate(items)]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def go(tmp_path, log, cache):
    home = Home(tmp_path / "results", cache)

    def go(
        again=False, keep=False, watch=None, limits=None, source=METHOD, ks=(5, 10), data=log, energy=False, **settings
    ):
        file = tmp_path / "mine.py"
        file.write_text(source + (KEEP if keep else ""))
        plan = Plan(
            method=f"{file}:Mine",
            data=data,
            protocol="user-holdout:users=20,min_interactions=5",
            settings=settings,
            ks=ks,
            timing="none",
            energy=energy,
            limits=limits or Limits(),
        )
        return run(plan, home, watch or Watcher(), again=again)

    return go


def test_loading_is_measured_where_a_method_keeps_what_it_learnt(go):
    load = go(keep=True)["phases"]["load"]
    assert load["seconds"] >= 0 and load["peak_rss_bytes"] > 1 << 20
    assert "load" not in go()["phases"]


def test_a_run_without_its_energy_is_no_answer_to_one_with_it(go, tmp_path, monkeypatch):
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "codecarbon.py").write_text(TRACKER, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "path")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"), prepend=os.pathsep)
    without = go()
    measured = go(energy=True)
    assert measured["run_id"] != without["run_id"] and "energy" not in without["phases"]["query"]
    assert measured["phases"]["train"]["energy"]["joules"] == pytest.approx(3.6)
    assert measured["phases"]["query"]["energy"]["requests"] % measured["task"]["requests"] == 0
    assert go(energy=True)["run_id"] == go()["run_id"] == measured["run_id"]


def test_an_answer_from_the_store_bears_the_name_that_the_data_have_now(go, log, tmp_path):
    other = shutil.copyfile(log, tmp_path / "other.csv")
    first, second = go(), go(data=other)
    assert first["run_id"] == second["run_id"]
    assert [record["task"]["title"] for record in (first, second, go())] == ["clicks.csv", "other.csv", "clicks.csv"]
    assert second["task"]["dataset"] == "other.csv"


def test_a_run_leaves_a_record_columns_and_answers(go, tmp_path):
    watch = Watcher()
    record = go(watch=watch)
    assert record["status"] == "ok", record
    assert record["error"] is None
    assert 0 < record["metrics"]["recall@10"]["low"] <= record["metrics"]["recall@10"]["value"] <= 1
    assert record["validation"]["recall@10"]["value"] > 0
    assert record["oracle"]["index_loss@10"]["value"] == 0
    assert record["oracle"]["coverage@5"]["value"] == 1
    assert record["work"] == {"unit": "items scored", "mean": 40.0, "share": 1.0}
    assert record["phases"]["train"]["peak_rss_bytes"] > 1 << 20
    in_phases = sum(phase["seconds"] for phase in record["phases"].values())
    assert record["oracle_seconds"] > 0 and record["wall_seconds"] > in_phases + record["oracle_seconds"]
    assert record["method"] == {
        "name": "mine:Mine", "version": "1", "reference": False,
        "params": {"train_fault": "", "query_fault": "", "boost": 0.0},
    }  # fmt: skip
    assert {"train", "index", "query", "metrics"} <= set(watch.stages)
    assert "step 4" in watch.notes
    folder = Store(tmp_path / "results").folder(record["run_id"])
    assert {path.name for path in folder.iterdir()} >= {"result.json", "requests.parquet", "answers.parquet", "log.txt"}
    keys, answers = columns.read_answers(folder)
    assert len(keys) == len(answers) == record["task"]["requests"]
    recalls = columns.read_requests(folder)["recall@10"].to_numpy()
    assert np.mean(recalls) == pytest.approx(record["metrics"]["recall@10"]["value"], abs=1e-6)


def test_a_second_run_is_answered_from_the_store_unless_again(go):
    first = go()
    watch = Watcher()
    assert go(watch=watch)["run_id"] == first["run_id"]
    assert "from the store" in watch.lines[-1]
    third = go(again=True)
    assert third["run_id"] != first["run_id"]
    assert third["metrics"] == first["metrics"]
    assert "recall@3" in go(ks=(3, 10))["metrics"], "the same k, but another depth to measure at"


RESUMING = METHOD.replace(
    """        for step in range(5):
            context.progress(step + 1, 5, f"step {step}")
""",
    """        kept = context.checkpoint / "step.txt" if context.checkpoint else None
        first = int(kept.read_text()) if kept and kept.exists() else 0
        for step in range(first, 5):
            context.progress(step + 1, 5, f"step {step}")
            time.sleep(0.3)
            if kept:
                kept.write_text(str(step + 1))
            if step == 2 and first == 0 and (Path(__file__).parent / "kill").exists():
                os.kill(os.getpid(), signal.SIGKILL)
""",
)


def test_a_training_that_was_killed_goes_on_from_what_it_kept(go, tmp_path, cache):
    (tmp_path / "kill").touch()
    first = go(keep=True, source=RESUMING)
    assert first["status"] == "failed" and "killed" in first["error"]
    shelf = cache / "artifacts" / "mine-Mine"
    (left,) = shelf.glob("train-*.unfinished/state/step.txt")
    assert left.read_text() == "3"
    watch = Watcher()
    second = go(keep=True, source=RESUMING, watch=watch)
    assert second["status"] == "ok", second
    assert "step 2" not in watch.notes and "step 3" in watch.notes
    train = second["phases"]["train"]
    assert 0.8 < train["resumed_after_seconds"] < train["seconds"] - 0.5, "the work before the end counts as training"
    assert not list(shelf.glob("*.unfinished"))
    third = go(keep=True, source=RESUMING, again=True)
    assert third["phases"]["train"]["cached"] and third["phases"]["train"]["seconds"] == train["seconds"]


def test_a_run_that_fails_late_says_what_its_phases_took(go):
    record = go(keep=True, query_fault="raise")
    assert record["status"] == "failed" and list(record["phases"]) == ["train", "index"]
    assert record["wall_seconds"] > sum(phase["seconds"] for phase in record["phases"].values())


def test_a_method_that_keeps_nothing_has_nowhere_to_go_on_from(go):
    record = go(source=RESUMING)
    assert record["status"] == "ok" and "resumed_after_seconds" not in record["phases"]["train"]


def test_milestones_are_kept_with_their_phase_and_stay_where_it_comes_from_the_cache(go):
    told = 'context.progress(step + 1, 5, f"step {step}")\n'
    more = 'context.milestone(f"step {step}", reached=step / 2, nothing=float("nan"))\n'
    source = METHOD.replace(told, f"{told}            {more}")
    first = go(keep=True, source=source)["phases"]["train"]
    passed = first["milestones"]
    assert [(one["name"], one["reached"]) for one in passed] == [(f"step {step}", step / 2) for step in range(5)]
    seconds = [one["seconds"] for one in passed]
    assert seconds == sorted(seconds) and seconds[0] >= 0 and seconds[-1] <= first["seconds"]
    assert go(keep=True, source=source, again=True)["phases"]["train"]["milestones"] == passed


def test_artifacts_are_kept_by_phase_and_a_damaged_one_is_built_again(go, cache):
    shutil.rmtree(cache / "artifacts", ignore_errors=True)
    first = go(keep=True)
    assert not first["phases"]["train"]["cached"]
    assert first["phases"]["train"]["artifact_bytes"] > 0
    other = go(keep=True, boost=1.0)
    assert other["phases"]["train"]["cached"]
    assert not other["phases"]["index"]["cached"]
    assert other["phases"]["train"]["seconds"] == first["phases"]["train"]["seconds"]
    assert other["metrics"] == first["metrics"]
    kept = sorted((cache / "artifacts" / "mine-Mine").glob("train-*/state/counts.npy"))
    kept[0].write_bytes(kept[0].read_bytes()[:-8])
    watch = Watcher()
    again = go(keep=True, again=True, watch=watch)
    assert not again["phases"]["train"]["cached"]
    assert "counts.npy has changed" in " ".join(watch.lines)
    assert again["metrics"] == first["metrics"]


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({"train_fault": "raise"}, "failed", "ValueError: seven is no prime here"),
        ({"query_fault": "raise"}, "failed", "ValueError: no answer"),
        ({"train_fault": "kill"}, "failed", "was killed (signal 9)"),
        ({"train_fault": "exit"}, "failed", "exit code 3 and without a result. Its last words: last words"),
        ({"train_fault": "cheat"}, "failed", "PermissionError: a worker of this phase may not read"),
        ({"query_fault": "twice"}, "invalid", "an item twice"),
        ({"query_fault": "nan"}, "invalid", "a score that is NaN"),
    ],
)
def test_a_failure_is_a_result_that_says_why(go, tmp_path, cache, settings, status, said):
    record = go(keep=True, **settings)
    assert record["status"] == status
    assert said in record["error"]
    assert record["metrics"] == {}
    assert Store(tmp_path / "results").find(record["run_id"])["error"] == record["error"]
    assert not list((cache / "artifacts").glob("*/*.unfinished"))
    assert [path.name for path in (tmp_path / "results" / "runs").iterdir()] == [record["spec_id"]]
    if "ValueError" in said:
        assert "Traceback" in record["traceback"]
        assert "mine.py" in record["traceback"]
    assert go(**settings)["run_id"] != record["run_id"], "a failure is tried again"


def test_limits_end_the_worker_and_its_children(go):
    record = go(train_fault="sleep", limits=Limits(seconds=2.0))
    assert record["status"] == "timeout"
    assert "--timeout" in record["error"]
    record = go(train_fault="orphan", limits=Limits(seconds=30))
    assert record["status"] == "failed", "the worker's end is seen although a child of its holds the pipe"
    record = go(train_fault="eat", limits=Limits(seconds=30, memory_bytes=500 << 20))
    assert record["status"] == "memory"
    assert "--memory" in record["error"]
    assert not [child for child in psutil.Process().children(recursive=True) if child.status() != "zombie"]


def test_a_plugin_that_cannot_be_imported_is_an_unavailable_row(go):
    record = go(source="import no_such_engine\n")
    assert record["status"] == "unavailable"
    assert "no_such_engine" in record["error"]


def test_bad_input_is_refused_before_any_work(go, tmp_path, log, cache):
    with pytest.raises(UnknownName, match="Did you mean 'boost'"):
        go(bost=1)
    with pytest.raises(ParameterError, match="no float"):
        go(boost="much")
    home, plan = Home(tmp_path / "results", cache), Plan(method="popularity", data=log)
    for wrong, error in (
        (Plan(method="popularity", data=log, protocol="user-holdot"), UnknownName),
        (Plan(method="popularity", data=log, timing="fast"), UnknownName),
        (Plan(method="popularity", data=log, timing="single+single"), UsageError),
        (Plan(method="popularity", data=log, timing="device"), UsageError),
        (Plan(method="popularity", data=log, timing="single", device="cuda"), UsageError),
        (Plan(method="popularty", data=log), UnknownName),
        (Plan(method="popularity", dataset="movielens-2m"), UnknownName),
    ):
        with pytest.raises(error):
            run(wrong, home, Watcher())
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.csv"):
        run(Plan(method="popularity", data=empty), home, Watcher())
    assert not (tmp_path / "results").exists()
    assert plan.k == 200


def test_a_record_is_plain_json_with_the_promised_keys(go, tmp_path):
    record = go()
    text = (Store(tmp_path / "results").folder(record["run_id"]) / "result.json").read_text()
    assert json.loads(text)["spec_id"] == record["spec_id"]
    promised = (
        "schema run_id status error task method seed metrics oracle work latency_ms throughput_qps phases machine "
        "provenance"
    )
    assert set(promised.split()) <= set(record)
    assert {"dataset", "protocol", "fingerprint", "requests", "items", "interactions"} <= set(record["task"])
    assert Path(record["task"]["folder"]).name == record["task"]["folder"]
