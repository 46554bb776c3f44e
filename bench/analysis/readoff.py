"""What methods cost at equal quality, read off between their measured settings and never beyond them.

A method's curve is the Pareto frontier of its settings by cost and by a quality that no report shows (validation).
Along it the reported quality is made to rise with cost: where a dearer setting found less, the two share their mean
(isotonic regression, which leaves a rising curve as it is). Between neighbours the logarithm of the cost is linear in
the quality.

Intervals are percentiles over resamples of the requests, the same for all settings of all methods; costs are taken as
measured. A resample in which a method does not reach the quality counts as one in which it costs without limit, so an
end may be infinite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.analysis.frontier import pareto_frontier
from bench.analysis.intervals import LEVEL, RESAMPLES, bootstrap_ratios, by_user


@dataclass(frozen=True, slots=True)
class Curve:
    """A method's settings that pay, cheapest first: cost float64 [P], above 0; values float64 [B, P], the quality of
    each request, NaN where it has none."""

    cost: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """A method at one quality. cost: there, None beyond its settings; least, most: the qualities of its cheapest and
    its dearest setting; cheapest: the former's cost; saving: the baseline's cost over its own, with the ends of the
    interval, None for the baseline and where it has no cost."""

    cost: float | None
    least: float
    most: float
    cheapest: float
    saving: tuple[float, float, float] | None


def curve(cost: NDArray[Any], values: NDArray[Any], chosen_by: NDArray[Any]) -> Curve | None:
    """The settings to use: cost float [P], less is better, values float [B, P] and what chooses among them, float [P],
    more is better. None where no setting has a cost above 0."""
    cost = np.where(np.asarray(cost, np.float64) > 0, cost, np.nan)
    paying = np.flatnonzero(pareto_frontier(chosen_by, cost))
    if not len(paying):
        return None
    paying = paying[np.argsort(cost[paying], kind="stable")]
    return Curve(cost[paying], np.asarray(values, np.float64)[:, paying])


def rising(quality: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest quality that never falls along each row, by least squares: float64 [R, P] both.

    Isotonic regression: the i-th is the greatest over a <= i of the least over b >= i of the mean from a to b.
    """
    settings = quality.shape[1]
    sums = np.concatenate([np.zeros((len(quality), 1)), np.cumsum(quality, axis=1)], axis=1)
    fitted = np.empty_like(quality)
    for at in range(settings):
        first, last = np.arange(at + 1), np.arange(at + 1, settings + 1)
        means = (sums[:, None, last] - sums[:, first, None]) / (last - first[:, None])  # (R, a, b)
        fitted[:, at] = means.min(2).max(1)
    return fitted


def log_cost_at(quality: float, reached: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the cost at a quality, along rising `reached` [R, P] with cost [P] -> float64 [R].

    Infinite where the dearest setting does not reach it, minus infinite where the cheapest is beyond it already.
    """
    settings = reached.shape[1]
    upper = (reached < quality).sum(1)  # the first that reaches it
    inside = np.clip(upper, 1, settings - 1) if settings > 1 else np.zeros(len(reached), np.int64)
    lower = np.maximum(inside - 1, 0)
    rows = np.arange(len(reached))
    below, above = reached[rows, lower], reached[rows, inside]
    share = np.zeros(len(reached))
    np.divide(quality - below, above - below, out=share, where=above > below)
    logs = np.log(cost)
    found = logs[lower] + share * (logs[inside] - logs[lower])
    found = np.where((upper == 0) & (reached[:, 0] == quality), logs[0], found)
    found = np.where((upper == 0) & (reached[:, 0] > quality), -np.inf, found)
    result: NDArray[np.float64] = np.where(upper == settings, np.inf, found)
    return result


def read_off(
    curves: Mapping[str, Curve],
    qualities: Sequence[float],
    seed: int,
    users: NDArray[Any] | None = None,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> list[dict[str, Reading]]:
    """Each method at each of `qualities`; beside the first that has a cost there, in the order of `curves`, stand the
    others. All curves hold the same B requests. users int [B]: who asks; requests of one user are drawn together."""
    names = list(curves)
    values = np.concatenate([curves[name].values for name in names], axis=1)  # (B, all settings)
    parts, wholes = np.nan_to_num(values), (~np.isnan(values)).astype(np.float64)
    if users is not None:
        parts, wholes = by_user(parts, users), by_user(wholes, users)
    measured = parts.sum(0) / wholes.sum(0)
    drawn = np.concatenate([measured[None], bootstrap_ratios(parts, wholes, seed, resamples)])
    ends = np.cumsum([len(curves[name].cost) for name in names])
    reached = {name: rising(of) for name, of in zip(names, np.split(drawn, ends[:-1], axis=1), strict=True)}
    found = []
    for quality in qualities:
        logs = {name: log_cost_at(quality, reached[name], curves[name].cost) for name in names}
        there = [name for name in names if np.isfinite(logs[name][0])]
        found.append(
            {
                name: Reading(
                    cost=float(np.exp(logs[name][0])) if name in there else None,
                    least=float(reached[name][0, 0]),
                    most=float(reached[name][0, -1]),
                    cheapest=float(curves[name].cost[0]),
                    saving=_saving(logs[there[0]], logs[name], level) if name in there[1:] else None,
                )
                for name in names
            }
        )
    return found


def _saving(baseline: NDArray[np.float64], contender: NDArray[np.float64], level: float) -> tuple[float, float, float]:
    """The ratio with its interval from logarithms [1 + resamples], the measured one first, which is finite."""
    with np.errstate(invalid="ignore"):
        apart = baseline - contender
    unknown = np.isnan(apart)  # neither reaches it: the ratio may be anything
    tail = (1 - level) / 2
    low = np.quantile(np.where(unknown, -np.inf, apart)[1:], tail, method="inverted_cdf")
    high = np.quantile(np.where(unknown, np.inf, apart)[1:], 1 - tail, method="inverted_cdf")
    value = apart[0]
    return float(np.exp(value)), float(np.exp(min(low, value))), float(np.exp(max(high, value)))
