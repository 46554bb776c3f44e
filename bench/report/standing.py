"""The methods of a suite, or several runs, beside a baseline: one table a task and metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import SIGNIFICANCE
from bench.analysis.standings import Standing, Values, standings
from bench.errors import UnknownName, UsageError
from bench.metrics.names import describe
from bench.report import wording
from bench.report.columns import Record, lookup, main_k
from bench.report.contrast import STYLES, p_text, refuse_unfinished, signed
from bench.report.rows import group, is_bound, labels, succeeded
from bench.report.schedule import newest_of
from bench.store.columns import REQUESTS, read_requests
from bench.store.results import Store
from bench.suites import Entry, Suite


@dataclass(frozen=True, slots=True)
class Contest:
    """The runs of one task, by label and seed. lines: of each label the method that it is a setting of."""

    title: str
    runs: dict[str, dict[int, Record]] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)

    @property
    def records(self) -> list[Record]:
        """All of them."""
        return [record for by_seed in self.runs.values() for record in by_seed.values()]


def finished(suite: Suite, store: Store) -> Iterator[tuple[str, Entry, Record]]:
    """What the store holds of a suite's runs, under their labels; of equal runs the newest that went well. Bounds stay
    out.

    Settings of a grid make a label of their own.
    """
    records = store.listed()
    for entry in suite.entries:
        record = newest_of(entry.plan, records)
        if record is not None and succeeded(record) and not is_bound(record):
            yield label_of(suite, entry), entry, record


def none_finished(suite: Suite, store: Store) -> UsageError:
    """What to say where `finished` has nothing."""
    return UsageError(f"the store {store.root} has no run of {suite.title!r}: bench sweep makes them")


def of_suite(suite: Suite, store: Store) -> list[Contest]:
    """The finished runs of a suite, a contest a task; raises UsageError where there is none."""
    contests: dict[str, Contest] = {}
    for label, entry, record in finished(suite, store):
        task = str(lookup(record, "task", "fingerprint"))
        contest = contests.setdefault(task, Contest(group([record])[0].title))
        contest.runs.setdefault(label, {})[entry.plan.seed] = record
        contest.lines[label] = entry.label
    if not contests:
        raise none_finished(suite, store)
    return list(contests.values())


def of_runs(runs: Sequence[str], store: Store) -> Contest:
    """The named runs, which must be of one task."""
    records = [store.find(run) for run in runs]
    refuse_unfinished(records)
    tasks = group(records)
    if len(tasks) > 1:
        raise UsageError(f"the runs are of {len(tasks)} tasks: only runs on the same requests can be compared")
    called = labels(records)
    return Contest(
        tasks[0].title,
        {label: {0: record} for label, record in zip(called, records, strict=True)},
        {label: str(lookup(record, "method", "name")) for label, record in zip(called, records, strict=True)},
    )


def render(contests: Sequence[Contest], store: Store, baseline: str | None, metrics: Sequence[str]) -> RenderableType:
    """The tables; baseline: a label, None for each contest's first; metrics: none for the main recall."""
    parts: list[RenderableType] = []
    for contest in contests:
        first = baseline or next(iter(contest.runs))
        if first not in contest.runs:
            raise UnknownName("method of the suite", first, contest.runs)
        for metric in metrics or [f"recall@{main_k(contest.records)}"]:
            found = measured(contest, store, first, metric)
            parts += [
                Text.assemble((f"{metric}  ", "bold"), contest.title),
                _table(lines(found, metric)),
                Text(f"{words(found)}\n", "dim"),
            ]
    return Group(*parts)


def measured(contest: Contest, store: Store, baseline: str, metric: str) -> list[Standing]:
    """The standings of a contest, from the requests' values in the store."""
    described = describe(metric)
    values = {
        label: {seed: request_values(store, record, metric) for seed, record in by_seed.items()}
        for label, by_seed in contest.runs.items()
    }
    try:
        return standings(values, metric, baseline, None if described is None else described.better)
    except ValueError as error:
        raise UsageError(f"{contest.title}: {error}") from error


def request_values(store: Store, record: Record, metric: str) -> Values:
    """What each test request of a run contributed to a metric; raises UnknownName for a metric that it has not."""
    path = store.file(str(record["run_id"]), REQUESTS)
    if path is None:
        raise UsageError(f"run {record['run_id']} has no {REQUESTS} in {store.root}: its requests cannot be compared")
    table = read_requests(path)
    if metric not in table.column_names:
        raise UnknownName(f"metric of run {record['run_id']}", metric, table.column_names)
    values: NDArray[Any] = table[metric].to_numpy()
    return table["key"].to_numpy(), np.asarray(values, np.float64)


def lines(found: Sequence[Standing], metric: str) -> list[dict[str, str]]:
    """The standings as texts, a name for every column."""
    several = any(one.seeds for one in found)
    told = []
    for one in found:
        best, worst = one.rank
        line = {"rank": str(best) if best == worst else f"{best}–{worst}", "method": one.label}
        line[metric] = wording.proportion(one.mean)
        line |= {"difference": "", "95% interval": "", "p (Holm)": "", "verdict": "baseline"}
        if one.against is not None and one.p_value is not None:
            low, high = (one.seeds.low, one.seeds.high) if one.seeds else (one.against.low, one.against.high)
            line["difference"] = signed(one.against.difference)
            line["95% interval"] = f"{signed(low)} to {signed(high)}"
            line["p (Holm)"] = p_text(one.p_value)
            line["verdict"] = one.against.verdict if one.p_value <= SIGNIFICANCE else "not distinguishable"
        if several:
            line["in each seed"] = " ".join(map(signed, one.each))
        told.append(line)
    return told


def _table(told: Sequence[dict[str, str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in told[0]:
        left = name in ("method", "95% interval", "verdict", "in each seed")
        table.add_column(name, justify="left" if left else "right")
    for line in told:
        table.add_row(*(Text(text, STYLES.get(text, "dim" if text == "baseline" else "")) for text in line.values()))
    return table


def words(found: Sequence[Standing]) -> str:
    """What the table's figures mean, and what the requests could have shown."""
    others = [one.against for one in found if one.against is not None]
    said = (
        "Sign-flip tests over users, corrected by Holm for the methods beside the baseline; rank: all pairs, likewise."
    )
    if others:
        least = np.median([one.detectable for one in others])
        asked = wording.count(others[0].requests)
        said += f" {asked} requests show a difference of {wording.proportion(float(least))} four times in five."
    seeds = [one.seeds for one in found if one.seeds is not None]
    if seeds:
        share = np.median([one.share for one in seeds])
        said += (
            f" Intervals are for other users and other trainings; {wording.percent(float(share))} of a mean's variance"
        )
        said += " is of training."
    return said


def label_of(suite: Suite, entry: Entry) -> str:
    """How a run of a suite is called: the label of its method, with the settings that a grid varies."""
    fellows = [
        one.plan.settings for one in suite.entries if (one.label, one.task.name) == (entry.label, entry.task.name)
    ]
    own = entry.plan.settings
    told = [f"{key}={own[key]}" for key in own if len({repr(one.get(key)) for one in fellows}) > 1]
    return " ".join([entry.label, *told])
