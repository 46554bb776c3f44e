"""Has anything become worse than it may? For the checks of other people's changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import SIGNIFICANCE
from bench.metrics.names import describe
from bench.report import wording
from bench.report.columns import Record, lookup, main_k, number, peak_memory
from bench.report.contrast import p_text
from bench.report.cost import kept_bytes
from bench.report.pairs import Change, Pair, changes

PASSED, WORSE, NOT_JUDGED = "passed", "worse", "not judged"
STYLES = {PASSED: "green", WORSE: "bold red", NOT_JUDGED: "yellow"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much worse is still accepted. quality: of a metric, absolute; the others: ratios of now to before, None where
    they are not judged."""

    quality: float = 0.005
    latency: float | None = 1.25
    memory: float | None = 1.2
    size: float | None = 1.2
    training: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One measurement of one pair beside its bound, in words; said: why, where that is not plain."""

    task: str
    label: str
    name: str
    before: str
    now: str
    bound: str
    verdict: str
    said: str = ""

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return dataclasses.asdict(self)


def check(pairs: Sequence[Pair], bounds: Bounds, metrics: Sequence[str]) -> list[Check]:
    """All measurements of all pairs, those of a pair together; metrics: none for the main recall.

    A metric is worse when it falls by more than the bound and, where the requests' values were kept, chance would not
    make the fall (p at most 5%, corrected for the number of pairs). A run that went well before and is not there now is
    worse, one that is new passes. Times are not judged between different machines.
    """
    records = [record for pair in pairs for record in pair.now.runs.values()]
    asked = metrics or [f"recall@{main_k(records)}"]
    quality = {(id(one.pair), metric): one for metric in asked for one in changes(pairs, metric)}
    found: list[Check] = []
    for pair in pairs:
        if not pair.now.runs:
            found.append(Check(pair.task, pair.label, "run", "ok", "none", "", WORSE, "no run of it went well"))
            continue
        if not pair.before.runs:
            found.append(Check(pair.task, pair.label, "run", "none", "ok", "", PASSED, "new"))
            continue
        for metric in asked:
            change = quality.get((id(pair), metric))
            found.append(_missing(pair, metric) if change is None else _quality(change, metric, bounds.quality))
        found += _costs(pair, bounds)
    return found


def failed(checks: Sequence[Check]) -> list[Check]:
    """Those that a gate stops at."""
    return [one for one in checks if one.verdict == WORSE]


def render(checks: Sequence[Check]) -> RenderableType:
    """The table, and one sentence."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    names = ("task", "method", "measurement", "before", "now", "may be", "verdict", "")
    for name in names:
        table.add_column(name, justify="right" if name in ("before", "now", "may be") else "left")
    last: tuple[str, str] = ("", "")
    for one in checks:
        task, label = one.task if one.task != last[0] else "", one.label if (one.task, one.label) != last else ""
        verdict = Text(one.verdict, STYLES[one.verdict])
        table.add_row(task, label, one.name, one.before, one.now, one.bound, verdict, Text(one.said, "dim"))
        last = (one.task, one.label)
    stopped = failed(checks)
    count = f"{len(stopped)} of {len(checks)} measurements"
    said = Text(f"{count} are worse than they may be.", "bold red") if stopped else Text("Nothing is worse.", "green")
    return Group(table, said)


def _quality(change: Change, metric: str, bound: float) -> Check:
    described = describe(metric)
    less = described is not None and described.better == "less"
    fall = change.difference if less else -change.difference
    likely = change.p_value is None or change.p_value <= SIGNIFICANCE
    p_value = "" if change.p_value is None else f"p {p_text(change.p_value)}"
    return Check(
        change.pair.task,
        change.pair.label,
        metric,
        wording.proportion(change.before),
        wording.proportion(change.now),
        wording.proportion(change.before + (bound if less else -bound)),
        WORSE if fall > bound and likely else PASSED,
        "not distinguishable from before" if fall > bound and not likely else p_value,
    )


def _missing(pair: Pair, metric: str) -> Check:
    return Check(pair.task, pair.label, metric, "", "", "", NOT_JUDGED, "not measured on both sides")


def _costs(pair: Pair, bounds: Bounds) -> Iterator[Check]:
    measurements: tuple[tuple[str, Callable[[Record], float | None], Callable[..., str], float | None, bool], ...] = (
        ("p50 ms", lambda one: number(lookup(one, "latency_ms", "p50")), wording.milliseconds, bounds.latency, True),
        ("train s", lambda one: _seconds(one, "train"), wording.seconds, bounds.training, True),
        ("peak memory", peak_memory, wording.size, bounds.memory, False),
        ("artifacts", kept_bytes, wording.size, bounds.size, False),
    )
    machines = {repr(_machine(one)) for side in (pair.before, pair.now) for one in side.runs.values()}
    for name, value, text, bound, clocked in measurements:
        before, now = (_middle(value, side.runs.values()) for side in (pair.before, pair.now))
        if bound is None or before is None or now is None:
            continue
        verdict, said = (WORSE if now > bound * before else PASSED), f"{now / before:.2f}×" if before else ""
        if clocked and len(machines) > 1:
            verdict, said = NOT_JUDGED, "another machine or number of threads"
        yield Check(pair.task, pair.label, name, text(before), text(now), text(bound * before), verdict, said)


def _middle(value: Callable[[Record], float | None], records: Any) -> float | None:
    """The median over seeds."""
    known = [one for record in records if (one := value(record)) is not None]
    return float(np.median(known)) if known else None


def _seconds(record: Record, phase: str) -> float | None:
    """None for an artifact that was there already."""
    return number(lookup(record, "phases", phase, "seconds"))


def _machine(record: Record) -> tuple[Any, ...]:
    cores = [lookup(record, "machine", key) for key in ("cpu", "cores")]
    return (*cores, lookup(record, "provenance", "build", "threads"), lookup(record, "provenance", "device"))
