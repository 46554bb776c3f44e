"""Methods timed in turn, from their artifacts: every method waits in a process of its own, one at a time is asked.

In each start all methods get fresh processes and two rounds: in the first they take turns in a random order, in the
second in the reverse, so that a steady drift of the machine meets all of them alike. The baseline takes part twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import subprocess
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.cache import begin
from bench.errors import BenchError, Unavailable, UsageError
from bench.run import artifacts
from bench.run.job import Job
from bench.run.lifecycle import located
from bench.run.plan import Home, Limits, Plan
from bench.run.prepared import method_of, place
from bench.run.spec import Build, Spec
from bench.run.supervise import Watch, Worker, opened
from bench.store.columns import TIMINGS, Repetitions, read_timings
from bench.store.turns import Turn

ROUNDS = 2  # of a start: there and back
FEWEST, MOST = 20, 1000  # requests of a turn of single calls
KINDS = {"single": ("single",), "batch": ("batch",), "device": ("device", "device batch")}


@dataclass(frozen=True, slots=True)
class Contender:
    """A finished run that takes part, as the suite asks for it."""

    label: str
    plan: Plan
    record: Mapping[str, Any]

    @property
    def peak_bytes(self) -> int:
        """What its query process needed."""
        return int(self.record["phases"]["query"]["peak_rss_bytes"])


@dataclass(frozen=True, slots=True)
class Course:
    """How turns are taken. kinds: what a turn measures, values of KINDS; starts: of every process; seconds: of a turn
    and kind, at least; requests: of the task; seed: of the orders."""

    kinds: tuple[str, ...]
    starts: int
    seconds: float
    requests: int
    seed: int = 0


def kinds(modes: Sequence[str]) -> tuple[str, ...]:
    """What is measured in a turn under these timing modes; raises UsageError for one that has no turns."""
    for mode in modes:
        if mode not in KINDS:
            raise UsageError(f"timing mode {mode} takes no turns: name {' or '.join(KINDS)}")
    return tuple(kind for mode in modes for kind in KINDS[mode])


def job_of(one: Contender, home: Home) -> Job:
    """What a worker needs to load the run's artifacts; raises Unavailable saying why it cannot be opened."""
    method = method_of(one.plan)
    if method.problem is not None:
        raise method.problem
    if not method.keeps:
        raise Unavailable("it has no save and load, so no other process can open it")
    build = Build(**one.record["provenance"]["build"])
    if build.source != method.source:
        raise Unavailable("its source has changed since its run; bench sweep runs it anew")
    live = None if one.plan.live is None else dataclasses.asdict(one.plan.live)
    fingerprint = one.record["task"]["fingerprint"]
    spec = Spec(fingerprint, method.name, method.version, method.params, one.plan.k, one.plan.seed, "", live)
    load = {}
    for phase in ("train", "index"):
        state = artifacts.whole(place(home.shelf, method, spec, build, phase))
        if state is None:
            raise Unavailable(f"what its {phase} phase left is {_gone(home)}")
        load[phase] = str(state)
    task = home.cache / "tasks" / str(one.record["task"]["folder"])
    if not task.is_dir():
        raise Unavailable(f"its task is {_gone(home)}")
    return Job(
        method=located(one.plan.method),
        params=method.params,
        task=str(task),
        phases=["turns"] if live is None else ["update", "turns"],
        load=load,
        save={},
        out="",
        scratch="",
        k=one.plan.k,
        seed=one.plan.seed,
        device=build.device,
        threads=build.threads,
        timing=[],
        slo_ms=one.plan.slo_ms,
        live=live,
    )


def _gone(home: Home) -> str:
    return f"not whole in the cache {home.cache}: --cache names another, bench run --again makes it anew"


def check_memory(contenders: Sequence[Contender], baseline: Contender) -> None:
    """Raise UsageError where all workers together would not fit into the memory that is free."""
    needed = sum(one.peak_bytes for one in [*contenders, baseline])
    free = psutil.virtual_memory().available
    if needed > free:
        raise UsageError(
            f"the {len(contenders) + 1} processes would need about {needed / 2**30:.1f} GiB together, "
            f"{free / 2**30:.1f} GiB are free: name fewer methods by --methods"
        )


def take(
    jobs: Mapping[str, Job], vital: Collection[str], course: Course, limits: Limits, home: Home, watch: Watch
) -> tuple[list[Turn], dict[str, str]]:
    """The turns of all labels, and what ended a label early, whose turns are left out.

    vital: labels whose failure is raised, for without them there is nothing to compare with. However this call ends,
    no worker is left.
    """
    folder = begin(home.cache / "scratch", "turns")
    try:
        return _Session(jobs, vital, course, limits, folder, watch).all_starts()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class _Session:
    """The starts of a course, one after another. requests: of a turn of single calls, 0 before the first."""

    jobs: Mapping[str, Job]
    vital: Collection[str]
    course: Course
    limits: Limits
    folder: Path
    watch: Watch
    failed: dict[str, str] = field(default_factory=dict)
    turns: list[Turn] = field(default_factory=list)
    requests: int = 0
    done: int = 0

    def all_starts(self) -> tuple[list[Turn], dict[str, str]]:
        rng = np.random.default_rng(self.course.seed)
        self.watch.stage("turns")
        for start in range(self.course.starts):
            labels = [label for label in self.jobs if label not in self.failed]
            self.one_start(start, [labels[at] for at in rng.permutation(len(labels))])
        return [turn for turn in self.turns if turn.label not in self.failed], self.failed

    def one_start(self, start: int, order: Sequence[str]) -> None:
        """Fresh processes, a round there and a round back."""
        workers: dict[str, Worker] = {}
        with contextlib.ExitStack() as open_workers:
            for at, label in enumerate(order):
                with self.excused(label):
                    folder = self.folder / f"{start}-{at}"
                    folder.mkdir()
                    job = dataclasses.replace(self.jobs[label], out=str(folder), scratch=str(folder))
                    worker = opened(job, folder, self.limits, stdin=subprocess.PIPE)
                    workers[label] = open_workers.enter_context(worker)
                    workers[label].answer()
                self.advance(f"start {start + 1} of {self.course.starts}, {label} loaded")
            if not self.requests:
                self.requests = self.enough(workers)
            for turn in range(ROUNDS):
                for place, label in enumerate(order[:: 1 if turn % 2 == 0 else -1]):
                    for kind in self.course.kinds:
                        if label not in self.failed:
                            with self.excused(label):
                                first = (start * ROUNDS + turn) * self.requests
                                calls, competing = _ask(workers[label], kind, first, self.requests, self.course.seconds)
                                self.turns.append(Turn(label, start, turn, place, competing, calls))
                        self.advance(f"start {start + 1} of {self.course.starts}, {label}")

    def enough(self, workers: Mapping[str, Worker]) -> int:
        """As many requests as the slowest method answers in a turn: all of them are asked the same."""
        most = min(MOST, self.course.requests)
        for kind in self.course.kinds:
            if kind.endswith("batch"):
                continue
            for label, worker in workers.items():
                if label not in self.failed:
                    with self.excused(label):
                        calls, _ = _ask(worker, kind, 0, FEWEST, 0.0)
                        most = min(most, int(self.course.seconds / float(np.median(calls.seconds))))
        return max(most, min(FEWEST, self.course.requests))

    @contextlib.contextmanager
    def excused(self, label: str) -> Iterator[None]:
        """A method that fails takes no further turns; the others go on."""
        try:
            yield
        except BenchError as error:
            if label in self.vital:
                raise type(error)(f"{label}: {error}") from error
            self.failed[label] = str(error)

    def advance(self, note: str) -> None:
        """A step is a process to open or a turn; those of a method that failed are not to do any more."""
        self.done += 1
        steps = (len(self.jobs) - len(self.failed)) * (1 + ROUNDS * len(self.course.kinds))
        self.watch.progress(self.done, max(self.done, self.course.starts * steps), note)


def _ask(worker: Worker, kind: str, first: int, requests: int, seconds: float) -> tuple[Repetitions, float]:
    """The calls of one turn, and the cores of other work meanwhile."""
    told = worker.ask({"mode": kind, "first": first, "requests": requests, "seconds": seconds})
    rows, spent = read_timings(worker.folder / TIMINGS, kind)
    return Repetitions(kind, rows, spent), float(told["competing_cores"])
