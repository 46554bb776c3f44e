"""Which points of a panel that sets quality against cost are beaten: another one is better on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.analysis.frontier import pareto_frontier
from bench.metrics.names import describe
from bench.report.figure_points import Point, measure

COSTS = ("latency_ms.", "device.latency_ms.", "work.", "phases.", "memory", "seconds")  # of which less is better
RATES = ("throughput_qps", "device.throughput_qps", "load.rate")


def beaten(points: Sequence[Point], x: str, y: str) -> list[bool]:
    """Of each point; none is where x and y are not a quality and a cost, or count work in different units.

    Quality is that of the validation part where all runs have it: what the figure shows must not choose.
    """
    quality, cost = (x, y) if _is_quality(x) else (y, x)
    less = cost.startswith(COSTS)
    units = {str((record.get("work") or {}).get("unit")) for point in points for record in point.records}
    if not _is_quality(quality) or not (less or cost in RATES) or (cost == "work.mean" and len(units) > 1):
        return [False] * len(points)
    spent = [_shown(point, cost, x) for point in points]
    found = [_of_validation(point, quality) for point in points]
    if None in found:
        found = [_shown(point, quality, x) for point in points]
    numbers = np.array([found, spent], np.float64)
    known = ~np.isnan(numbers).any(0)
    return list(known & ~pareto_frontier(numbers[0], numbers[1] if less else -numbers[1]))


def _is_quality(name: str) -> bool:
    described = describe(name) if "@" in name and "." not in name else None
    return described is not None and described.better == "more"


def _shown(point: Point, name: str, x: str) -> float | None:
    if name == x:
        return point.x
    return point.values[name].value if name in point.values else None


def _of_validation(point: Point, name: str) -> float | None:
    """The mean over the point's runs."""
    values = [measure(record, f"validation.{name}") for record in point.records]
    known = [value.value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
