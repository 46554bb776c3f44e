"""From a suite and its finished runs to their times in turn: what `bench time` carries out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import Unavailable, UnknownName, UsageError
from bench.report import standing, wording
from bench.report.progress import Display
from bench.run.job import Job
from bench.run.plan import Home
from bench.run.timing import NONE, modes, usual
from bench.run.turn_record import record_of
from bench.run.turns import KINDS, Contender, Course, check_memory, job_of, kinds, take
from bench.store import turns
from bench.store.results import Store
from bench.suites import Suite


@dataclass(frozen=True, slots=True)
class Asked:
    """The options. mode: None for the suite's own; baseline: None for the first; methods: none for all."""

    mode: str | None
    baseline: str | None
    methods: tuple[str, ...]
    starts: int
    seconds: float
    seed: int


@dataclass(frozen=True, slots=True)
class Ready:
    """A task that can be timed: its contenders, the baseline first; of those that can be opened their jobs, of the
    others why not; kinds: what is measured."""

    contenders: Sequence[Contender]
    jobs: Mapping[str, Job]
    left_out: Mapping[str, str]
    kinds: tuple[str, ...]


def time_suite(suite: Suite, asked: Asked, home: Home, display: Display) -> list[dict[str, Any]]:
    """The stored record of each of the suite's tasks; raises UsageError before anything is measured."""
    tasks = contenders(suite, Store(home.results))
    labels = {one.label for task in tasks for one in task}
    for label in [*asked.methods, *([] if asked.baseline is None else [asked.baseline])]:
        if label not in labels:
            raise UnknownName("finished method in the suite", label, labels)
    chosen = [_chosen(task, asked) for task in tasks]
    ready = [_ready(task, asked, home) for task in chosen if task]
    return [_time(suite.title, one, asked, home, display) for one in ready]


def contenders(suite: Suite, store: Store) -> list[list[Contender]]:
    """The finished runs of each task of a suite, of several seeds the first."""
    tasks: dict[str, dict[str, Contender]] = {}
    for label, entry, record in standing.finished(suite, store):
        tasks.setdefault(record["task"]["fingerprint"], {}).setdefault(label, Contender(label, entry.plan, record))
    if not tasks:
        raise standing.none_finished(suite, store)
    return [list(one.values()) for one in tasks.values()]


def _chosen(found: Sequence[Contender], asked: Asked) -> list[Contender]:
    """Those of a task that are asked for, the baseline first."""
    by_label = {one.label: one for one in found}
    named = [label for label in by_label if not asked.methods or label in asked.methods]
    first = asked.baseline if asked.baseline in by_label else next(iter(named), None)
    return [] if first is None else [by_label[label] for label in dict.fromkeys([first, *named])]


def _ready(chosen: Sequence[Contender], asked: Asked, home: Home) -> Ready:
    """Raises UsageError where the baseline cannot be opened or memory does not suffice."""
    first, jobs, left_out = chosen[0], dict[str, Job](), dict[str, str]()
    for one in chosen:
        try:
            jobs[one.label] = job_of(one, home)
        except Unavailable as problem:
            if one is first:
                raise UsageError(
                    f"{one.label}, the baseline, cannot be timed: {problem} (--baseline names another method)"
                ) from problem
            left_out[one.label] = str(problem)
    check_memory([one for one in chosen if one.label in jobs], first)
    return Ready(chosen, jobs, left_out, _kinds(first, asked))


def _kinds(one: Contender, asked: Asked) -> tuple[str, ...]:
    """What is measured: as asked, else what the suite times and can be taken in turns."""
    device = one.plan.device
    if asked.mode is None:
        own = [mode for mode in modes(one.plan.timing, device) if mode in KINDS]
        return kinds(own or modes(usual(device), device))
    if asked.mode == NONE:
        raise UsageError("--mode none measures nothing: name single, batch or single+batch")
    return kinds(modes(asked.mode, device))


def _time(title: str, ready: Ready, asked: Asked, home: Home, display: Display) -> dict[str, Any]:
    first = ready.contenders[0]
    again = f"{first.label} again"
    display.begin(f"{title}: {first.record['task']['title']}")
    course = Course(ready.kinds, asked.starts, asked.seconds, int(first.record["task"]["requests"]), asked.seed)
    jobs = {**ready.jobs, again: ready.jobs[first.label]}
    taken, failed = take(jobs, {first.label, again}, course, first.plan.limits, home, display)
    timed = [one for one in ready.contenders if one.label in ready.jobs and one.label not in failed]
    record = record_of(title, timed, again, course, taken, {**ready.left_out, **failed})
    folder = turns.keep(home.results, record, taken)
    display.end(f"{len(timed)} methods in turn, {wording.count(len(taken))} turns, kept in {folder}", failed=False)
    return record
