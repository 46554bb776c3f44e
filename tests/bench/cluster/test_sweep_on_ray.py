"""`bench sweep --on ray` as a person types it: the same results as on one machine, whatever dies meanwhile."""

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.store.results import Store

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here: pip install 'bench[ray]'"),
]
SAME = ("spec_id", "status", "task", "method", "seed", "k", "timing", "metrics", "validation", "oracle", "work")
SLOW = '''
import time
from dataclasses import dataclass

import numpy as np

from bench import Answer, hookimpl, param


@dataclass
class Slow:
    """The most popular items with some noise, trained long enough to be killed meanwhile."""

    noise: float = param(0.1, phase="query", help="of a score", low=0)

    @hookimpl
    def train(self, data, context):
        time.sleep(3)
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size) + context.rng.random()

    @hookimpl
    def index(self, catalog):
        self.ids_ = np.arange(len(self.counts_), dtype=np.int32)

    @hookimpl
    def query(self, requests, k, context):
        noise = context.rng.standard_normal((len(requests), len(self.ids_)))
        return Answer.top(self.ids_, self.counts_ + self.noise * noise, k, requests.exclude)

    @hookimpl
    def save(self, folder, phase):
        np.save(folder / "counts.npy", self.counts_ if phase == "train" else self.ids_)

    @hookimpl
    def load(self, folder, phase):
        setattr(self, "counts_" if phase == "train" else "ids_", np.load(folder / "counts.npy"))
'''
SUITE = """
datasets = ["synthetic:items=300,interactions=3000"]
protocols = ["next-item:users=40"]
ks = [10, 50]
timing = "none"
threads = 1
seeds = [0, 1]
methods = [
    { name = "null" },
    { name = "bayes" },
    { name = "item_cf" },
    { name = "slow.py:Slow", grid = { noise = [1.0, 5.0, 25.0] } },
]
"""


def start(folder, name, *words):
    command = [sys.executable, "-m", "bench", "sweep", "suite.toml", "--json", f"{name}.jsonl", *words]
    folders = ["--results", f"{name}/results", "--cache", f"{name}/cache"]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen([*command, *folders], cwd=folder, stdout=log, stderr=log)


def records(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def kill_the_process_that_supervises_a_slow_training(sweep):
    """Of Ray, whose child does the training; SIGKILL, as the system does for want of memory."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for process in psutil.Process(sweep.pid).children(recursive=True):
            try:
                words = process.cmdline()
                if "bench.run.worker" in words and "slow.py:Slow" in (at := Path(words[3])).read_text():
                    assert at.name == "job-train.json"
                    process.parent().kill()
                    return
            except (psutil.Error, OSError):
                continue  # it ended meanwhile
        time.sleep(0.02)
    pytest.fail("no slow training was seen")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("sweeps")
    (found / "suite.toml").write_text(SUITE)
    (found / "slow.py").write_text(SLOW)
    return found


@pytest.fixture(scope="module")
def on_ray(folder):
    sweep = start(folder, "ray", "--on", "ray")
    kill_the_process_that_supervises_a_slow_training(sweep)
    assert sweep.wait() == 0, (folder / "ray.log").read_text()
    return records(folder, "ray")


def test_twelve_runs_one_of_them_killed_equal_those_of_one_machine(folder, on_ray):
    assert start(folder, "local").wait() == 0
    local = records(folder, "local")
    assert len(on_ray) == len(local) == 12
    for ours, theirs in zip(on_ray, local, strict=True):
        assert ours["status"] == "ok"
        assert {key: ours[key] for key in SAME} == {key: theirs[key] for key in SAME}
        assert ours["provenance"]["build"] == theirs["provenance"]["build"]


def test_the_killed_run_alone_is_begun_again_and_nothing_is_made_twice(folder, on_ray):
    assert (folder / "ray.log").read_text().count("it is begun again") == 1
    store = Store(folder / "ray" / "results")
    assert len(store.folders()) == 12
    assert {path.name for path in store.root.iterdir()} == {"runs"}
    assert not list(store.runs.glob(".*"))
    slow = [record for record in on_ray if record["method"]["name"] == "slow:Slow"]
    assert [record["phases"]["train"]["cached"] for record in slow].count(False) == 2, "one training of each seed"
    assert len({json.dumps(record["metrics"]) for record in slow}) > 1


def test_a_sweep_that_is_repeated_runs_nothing_again(folder, on_ray):
    assert start(folder, "ray", "--on", "ray").wait() == 0
    assert (folder / "ray.log").read_text().count("answered from the store") == 12
    assert records(folder, "ray") == on_ray
    assert len(Store(folder / "ray" / "results").folders()) == 12
