"""From a suite and its finished runs to their times in turn: what `bench time` carries out."""

from __future__ import annotations

from collections.abc import Sequence
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


def time_suite(suite: Suite, asked: Asked, home: Home, display: Display) -> list[dict[str, Any]]:
    """The stored record of each of the suite's tasks; raises UsageError before anything is measured."""
    tasks = contenders(suite, Store(home.results))
    chosen = [_chosen(one, asked) for one in tasks]
    kinds_of = [_kinds(one[0], asked) for one in chosen]
    return [_time(suite, one, kind, asked, home, display) for one, kind in zip(chosen, kinds_of, strict=True)]


def contenders(suite: Suite, store: Store) -> list[list[Contender]]:
    """The finished runs of each task of a suite, of several seeds the first."""
    tasks: dict[str, dict[str, Contender]] = {}
    for label, entry, record in standing.finished(suite, store):
        tasks.setdefault(record["task"]["fingerprint"], {}).setdefault(label, Contender(label, entry.plan, record))
    return [list(one.values()) for one in tasks.values()]


def _chosen(found: Sequence[Contender], asked: Asked) -> list[Contender]:
    """Those that are asked for, the baseline first."""
    labels = [one.label for one in found]
    for label in [*asked.methods, *([] if asked.baseline is None else [asked.baseline])]:
        if label not in labels:
            raise UnknownName("finished method in the suite", label, labels)
    named = asked.methods or labels
    first = asked.baseline or next(label for label in labels if label in named)
    by_label = {one.label: one for one in found}
    return [by_label[label] for label in dict.fromkeys([first, *(label for label in labels if label in named)])]


def _kinds(one: Contender, asked: Asked) -> tuple[str, ...]:
    """What is measured: as asked, else what the suite times and can be taken in turns."""
    device = one.plan.device
    if asked.mode is None:
        own = [mode for mode in modes(one.plan.timing, device) if mode in KINDS]
        return kinds(own or modes(usual(device), device))
    if asked.mode == NONE:
        raise UsageError("--mode none measures nothing: name single, batch or single+batch")
    return kinds(modes(asked.mode, device))


def _time(
    suite: Suite, chosen: Sequence[Contender], kinds: tuple[str, ...], asked: Asked, home: Home, display: Display
) -> dict[str, Any]:
    first = chosen[0]
    jobs: dict[str, Job] = {}
    left_out: dict[str, str] = {}
    display.begin(f"{suite.title}: {first.record['task']['title']}")
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
    again = f"{first.label} again"
    course = Course(kinds, asked.starts, asked.seconds, int(first.record["task"]["requests"]), asked.seed)
    limits = first.plan.limits
    taken, failed = take({**jobs, again: jobs[first.label]}, {first.label, again}, course, limits, home, display)
    timed = [one for one in chosen if one.label in jobs and one.label not in failed]
    record = record_of(suite.title, timed, again, course, taken, left_out | failed)
    folder = turns.keep(home.results, record, taken)
    said = f"{len(timed)} methods in turn, {wording.count(len(taken))} turns, kept in {folder}"
    display.end(said, failed=False)
    return record
