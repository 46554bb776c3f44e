"""What the methods of a contest cost at equal recall, where one of them has several settings: as texts and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType

from bench.analysis.readoff import Curve, Reading, curve, read_off
from bench.analysis.standings import aligned
from bench.data.tables import users_of
from bench.metrics.names import describe
from bench.report import wording
from bench.report.axes import Axis, axes
from bench.report.columns import main_k, measured
from bench.report.cost import Bill
from bench.report.sheet import Sheet
from bench.report.standing import Contest, request_values
from bench.store.results import Store

STEPS = (0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # between recalls that are read off
NEAR_ALL = (0.98, 0.99, 0.995, 0.999)  # beyond any step, as indexes come near to finding all
SHOWN = 3  # recalls, where nobody names some


def equal_recall(
    contest: Contest, store: Store, costs: Sequence[Axis], metric: str, baseline: str, recalls: Sequence[float]
) -> list[Sheet]:
    """A table each cost in which a method has several settings that pay; baseline: a line of the contest; recalls: to
    read off at, none for some that most methods reach."""
    settings = [label for label in contest.runs if contest.lines.get(label)]
    values, users = _values(contest, store, settings, metric)
    shown, chosen = np.nanmean(values, axis=0), _validation(contest, settings, metric)
    by = "validation"
    if np.isnan(chosen).any():
        by, chosen = "test, as not every run has a validation part", shown
    order = list(dict.fromkeys([baseline, *(contest.lines[label] for label in settings)]))
    found = []
    for axis in costs:
        cost = np.array([_mean([axis.spent(one) for one in contest.runs[label].values()]) for label in settings])
        curves: dict[str, Curve] = {}
        for line in order:
            own = [at for at, label in enumerate(settings) if contest.lines[label] == line]
            one = curve(cost[own], values[:, own], chosen[own])
            curves |= {} if one is None else {line: one}
        if len(curves) < 2 or all(len(one.cost) < 2 for one in curves.values()):
            continue
        asked = list(recalls) or usual([_range(one) for one in curves.values()])
        if asked:
            readings = read_off(curves, asked, seed=0, users=users)
            found.append(_told(axis, metric, asked, readings, by))
    return found


def usual(ranges: Sequence[tuple[float, float]]) -> list[float]:
    """Round recalls to read off at, ascending: of those within the range of two methods at least, SHOWN that most
    methods have, the higher of equals."""
    most = max((high for _, high in ranges), default=0.0)
    for step in STEPS:
        marks = {*NEAR_ALL, *(round(step * at, 6) for at in range(1, math.floor(most / step + 1e-9) + 1))}
        having = {mark: sum(low <= mark <= high for low, high in ranges) for mark in marks}
        shared = [mark for mark in marks if having[mark] > 1 and mark < 1]
        if len(shared) > 1 or (shared and step == STEPS[-1]):
            return sorted(sorted(shared, key=lambda mark: (-having[mark], -mark))[:SHOWN])
    return []


def render(
    contests: Sequence[Contest],
    store: Store,
    bill: Bill | None,
    baseline: str | None,
    metrics: Sequence[str],
    recalls: Sequence[float],
) -> list[RenderableType]:
    """The tables of all contests, for a terminal; baseline: a label, None for each contest's first; metrics: none for
    the main recall, of others those of which more is better."""
    parts = []
    for contest in contests:
        first = contest.lines.get(baseline or next(iter(contest.runs)), "")
        for metric in metrics or [f"recall@{main_k(contest.records)}"]:
            described = describe(metric)
            if described is not None and described.better == "more":
                costs = axes(contest.records, bill)
                found = equal_recall(contest, store, costs, metric, first, recalls)
                parts += [one.render(contest.title) for one in found]
    return parts


def _told(axis: Axis, metric: str, recalls: Sequence[float], readings: Sequence[dict[str, Reading]], by: str) -> Sheet:
    lines = []
    for method in readings[0]:
        line = {"method": method}
        for recall, found in zip(recalls, readings, strict=True):
            line[f"at {metric} {_recall(recall)}"] = _cell(axis, found[method], recall, any(_savings(found)))
        lines.append(line)
    said = [
        f"At {metric} {_recall(recall)}: {name} {_saving(axis, reading.saving)} than {_baseline(found)}."
        for recall, found in zip(recalls, readings, strict=True)
        for name, reading in found.items()
        if reading.saving == max(_savings(found), default=None) and reading.saving is not None and reading.saving[1] > 1
    ]
    how = (
        f"Settings chosen on {by}, recall of the test part; read off between settings (log cost), never beyond them; "
        "95% intervals over requests, costs as measured."
    )
    return Sheet(f"{metric} against {axis.title}", tuple(lines), " ".join([*said, how]))


def _cell(axis: Axis, reading: Reading, recall: float, compared: bool) -> str:
    if reading.cost is None:
        if reading.most < recall:
            return f"never: at most {wording.proportion(reading.most)}"
        return f"{axis.told(reading.cheapest)} at {wording.proportion(reading.least)}"
    said = axis.told(reading.cost)
    if reading.saving is None:
        return f"{said}, baseline" if compared else said
    return f"{said}, {_saving(axis, reading.saving)}"


def _saving(axis: Axis, saving: tuple[float, float, float]) -> str:
    """ "2.1× faster (1.8 to 2.4)"; what is slower is so many times slower."""
    value, low, high = saving
    word = axis.better if value >= 1 else axis.worse
    if value < 1:
        value, low, high = 1 / value, 1 / high if high else math.inf, 1 / low if low else math.inf
    if _times(value) == _times(1.0):
        word = "as much"
    ends = f"{_times(low)} or more" if math.isinf(high) else f"{_times(low)} to {_times(high)}"
    return f"{_times(value)}× {word} ({ends})"


def _times(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:,.0f}"


def _savings(found: dict[str, Reading]) -> list[tuple[float, float, float]]:
    return [reading.saving for reading in found.values() if reading.saving is not None]


def _baseline(found: dict[str, Reading]) -> str:
    return next(name for name, reading in found.items() if reading.cost is not None)


def _recall(value: float) -> str:
    return wording.proportion(value, max(2, len(f"{value:g}".partition(".")[2])))


def _range(one: Curve) -> tuple[float, float]:
    means = np.nanmean(one.values, axis=0)
    return float(means.min()), float(means.max())


def _values(
    contest: Contest, store: Store, settings: Sequence[str], metric: str
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Of each setting and request that all runs have the mean over seeds, float64 [B, P]; and who asks, int64 [B]."""
    runs = [[request_values(store, one, metric) for one in contest.runs[label].values()] for label in settings]
    keys = reduce(np.intersect1d, (keys for seeds in runs for keys, _ in seeds))
    columns = [np.mean([aligned(one, keys) for one in seeds], axis=0) for seeds in runs]
    return np.stack(columns, axis=1), users_of(keys)


def _validation(contest: Contest, settings: Sequence[str], metric: str) -> NDArray[np.float64]:
    """The mean over seeds of each setting's validation metric; NaN where a run has none."""
    return np.array(
        [_mean([measured(one, "validation", metric) for one in contest.runs[label].values()]) for label in settings]
    )


def _mean(values: Sequence[float | None]) -> float:
    known: list[Any] = [math.nan if value is None else value for value in values]
    return float(np.mean(known))
