"""The same runs twice, before and now: two states of a store, two suites or two revisions of the code."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import SIGNIFICANCE, Verdict, holm
from bench.analysis.standings import Standing, standings
from bench.errors import UnknownName, UsageError
from bench.metrics.names import describe
from bench.report import wording
from bench.report.columns import Record, lookup, main_k, measured
from bench.report.contrast import STYLES, p_text, signed
from bench.report.rows import group, is_bound, labels, succeeded
from bench.report.standing import finished, request_values
from bench.store.columns import REQUESTS
from bench.store.results import Store
from bench.suites import Suite

BEFORE, NOW = "before", "now"


@dataclass(frozen=True, slots=True)
class Side:
    """The runs of one label by seed, and the store where they lie."""

    store: Store
    runs: dict[int, Record] = field(default_factory=dict)

    def values(self, metric: str) -> dict[int, Any] | None:
        """What each request contributed, by seed; None where that was not kept."""
        if any(self.store.file(str(one["run_id"]), REQUESTS) is None for one in self.runs.values()):
            return None
        return {seed: request_values(self.store, record, metric) for seed, record in self.runs.items()}

    def mean(self, metric: str) -> float | None:
        """Over the seeds, as the records say it."""
        found = [measured(record, "metrics", metric) for record in self.runs.values()]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if known else None


@dataclass(frozen=True, slots=True)
class Pair:
    """A method's runs on one task, before and now; a side without a run that went well is empty."""

    task: str
    label: str
    before: Side
    now: Side


@dataclass(frozen=True, slots=True)
class Change:
    """A metric of a pair. p_value: None where the requests' values were not kept; corrected for how many changes stand
    together."""

    pair: Pair
    before: float
    now: float
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    better: Verdict = "not distinguishable"

    @property
    def difference(self) -> float:
        """now - before."""
        return self.now - self.before

    @property
    def verdict(self) -> str:
        """On now."""
        if self.p_value is None:
            return "not tested"
        return self.better if self.p_value <= SIGNIFICANCE else "not distinguishable"


def of_suites(before: tuple[Suite, Store], now: tuple[Suite, Store]) -> list[Pair]:
    """The methods of two suites (or of one in two stores) that have a label and a task in common, in the order of
    `now`; those of either alone have an empty side."""
    first, second = _sides(*before), _sides(*now)
    return [
        Pair(
            title,
            label,
            first.get((task, label), (title, Side(before[1])))[1],
            second.get((task, label), (title, Side(now[1])))[1],
        )
        for (task, label), (title, _) in {**second, **first}.items()
    ]


def of_revisions(store: Store, before: str, now: str) -> list[Pair]:
    """The specs that were carried out at both commits, without changes that were not committed.

    Raises UsageError where there is none.
    """
    executions = [record for record in store.records() if succeeded(record) and not is_bound(record)]
    sides: list[dict[str, Record]] = []
    for commit in (before, now):
        at = [one for one in executions if lookup(one, "provenance", "commit") == commit]
        sides.append({str(one["spec_id"]): one for one in at if not lookup(one, "provenance", "dirty")})
    both = [spec for spec in sides[1] if spec in sides[0]]
    if not both:
        counts = " and ".join(f"{len(side)} at {commit[:8]}" for side, commit in zip(sides, (before, now), strict=True))
        raise UsageError(
            f"the store {store.root} has no run that was made at both revisions ({counts}); check out each, install it "
            f"and run the same bench run --again or bench sweep with the same --results"
        )
    pairs = []
    for task in group(sides[1][spec] for spec in both):
        seeds = dict[str, list[Record]]()  # the runs that differ in their seed alone
        for record in task.records:
            seeds.setdefault(repr((record["method"], record["k"], record["timing"])), []).append(record)
        for runs, label in zip(seeds.values(), labels([runs[0] for runs in seeds.values()]), strict=True):
            first = {int(record["seed"]): sides[0][str(record["spec_id"])] for record in runs}
            second = {int(record["seed"]): record for record in runs}
            pairs.append(Pair(task.title, label, Side(store, first), Side(store, second)))
    return pairs


def commits_of(names: Sequence[str], store: Store) -> tuple[str, str] | None:
    """The two commits that `names` mean in the checkout that bench runs from; None where they name runs.

    Raises UnknownName for one that is neither.
    """
    found = []
    for name in names:
        try:
            store.find(name)
        except UnknownName:
            commit = _commit_of(name, Path(__file__).parent)
            if commit is None:
                raise
            found.append(commit)
    return (found[0], found[1]) if len(found) == len(names) == 2 else None


def _commit_of(revision: str, folder: Path) -> str | None:
    """In full; None for a name that is none."""
    command = [
        "git",
        "-C",
        str(folder),
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{revision}^{{commit}}",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def changes(pairs: Sequence[Pair], metric: str) -> list[Change]:
    """The metric of every pair that has both sides, tested request by request where the requests' values were kept."""
    found = []
    for pair in pairs:
        before, now = pair.before.mean(metric), pair.now.mean(metric)
        if before is None or now is None:
            continue
        standing = _tested(pair, metric)
        if standing is None or standing.against is None:
            found.append(Change(pair, before, now))
            continue
        one = standing.against
        low, high = (standing.seeds.low, standing.seeds.high) if standing.seeds else (one.low, one.high)
        found.append(Change(pair, one.baseline, one.contender, low, high, standing.p_value, one.verdict))
    tested = [one for one in found if one.p_value is not None]
    corrected = dict(zip(map(id, tested), holm([one.p_value or 0.0 for one in tested]), strict=True))
    return [
        Change(one.pair, one.before, one.now, one.low, one.high, corrected.get(id(one)), one.better) for one in found
    ]


def render(pairs: Sequence[Pair], metrics: Sequence[str], called: tuple[str, str]) -> RenderableType:
    """A table a metric, and the pairs that lack a side; metrics: none for the main recall; called: the two states."""
    records = [record for pair in pairs for side in (pair.before, pair.now) for record in side.runs.values()]
    parts: list[RenderableType] = []
    for metric in metrics or [f"recall@{main_k(records)}"]:
        found = changes(pairs, metric)
        if not found:
            raise UsageError(f"no pair of runs has {metric} on both sides")
        parts += [Text.assemble((metric, "bold"), f"  {called[1]} beside {called[0]}"), _table(found)]
    parts += [Text(line, "yellow") for line in lacking(pairs, called)]
    parts.append(Text("Sign-flip tests over users, corrected by Holm for how many rows stand together.", "dim"))
    return Group(*parts)


def lacking(pairs: Sequence[Pair], called: tuple[str, str]) -> list[str]:
    """Of every pair without a side: what is missing."""
    return [
        f"{pair.label} on {pair.task}: {name} has no run that went well"
        for pair in pairs
        for side, name in ((pair.before, called[0]), (pair.now, called[1]))
        if not side.runs
    ]


def _table(found: Sequence[Change]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in ("task", "method", BEFORE, NOW, "difference", "95% interval", "p (Holm)", "verdict"):
        table.add_column(name, justify="left" if name in ("task", "method", "95% interval", "verdict") else "right")
    last = ""
    for one in found:
        known = one.low is not None and one.high is not None and one.p_value is not None
        table.add_row(
            one.pair.task if one.pair.task != last else "",
            one.pair.label,
            wording.proportion(one.before),
            wording.proportion(one.now),
            signed(one.difference),
            f"{signed(one.low or 0.0)} to {signed(one.high or 0.0)}" if known else "",
            p_text(one.p_value or 0.0) if known else "",
            Text(one.verdict, STYLES.get(one.verdict, "dim")),
        )
        last = one.pair.task
    return table


def _sides(suite: Suite, store: Store) -> dict[tuple[str, str], tuple[str, Side]]:
    """By task and label: the task's title and the runs."""
    found = dict[tuple[str, str], tuple[str, Side]]()
    for label, entry, record in finished(suite, store):
        key = (str(lookup(record, "task", "fingerprint")), label)
        found.setdefault(key, (group([record])[0].title, Side(store)))[1].runs[entry.plan.seed] = record
    return found


def _tested(pair: Pair, metric: str) -> Standing | None:
    """Now beside before, over the seeds that both have."""
    seeds = pair.before.runs.keys() & pair.now.runs.keys()
    before, now = pair.before.values(metric), pair.now.values(metric)
    if not seeds or before is None or now is None:
        return None
    described = describe(metric)
    sides: Mapping[str, dict[int, Any]] = {
        BEFORE: {seed: before[seed] for seed in sorted(seeds)},
        NOW: {seed: now[seed] for seed in sorted(seeds)},
    }
    try:
        found = standings(sides, metric, BEFORE, None if described is None else described.better)
    except ValueError:
        return None
    return next(one for one in found if one.label == NOW)
