"""Measurements at several catalog sizes, carried on to a size that was not run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
TOLERANCE = 0.05  # the least that a curve is taken to miss the largest size by


@dataclass(frozen=True, slots=True)
class Curve:
    """y = level + slope x in coordinates of its own, fitted by least squares of relative errors.

    name: in words; bend: from sizes to x; logarithmic: whether it is the logarithm of y that lies on the line.
    """

    name: str
    bend: Callable[[Any], Any]
    logarithmic: bool = False

    def at(self, size: float, sizes: Values, values: Values) -> float:
        """y at `size` through sizes and values, float64 [n >= 2] above 0."""
        weights = np.ones(len(values)) if self.logarithmic else 1 / values
        y = np.log(values) if self.logarithmic else values
        table = np.stack([np.ones(len(values)), self.bend(sizes)], axis=1)  # (n, 2)
        (level, slope), *_ = np.linalg.lstsq(table * weights[:, None], y * weights, rcond=None)
        found = float(level + slope * self.bend(np.float64(size)))
        return float(np.exp(found)) if self.logarithmic else found


LOGARITHM = Curve("grows with the logarithm", np.log)
LINE = Curve("a fixed part and one an item", np.asarray)
POWER = Curve("a power", np.log, logarithmic=True)


@dataclass(frozen=True, slots=True)
class Projection:
    """A measurement at a size that was not run, from low to high. curve: how it is taken to grow; miss: how far that
    curve, drawn through the smaller sizes, misses the largest that was measured, as a share of it (0.1: a tenth too
    much); None where only two sizes were."""

    value: float
    low: float
    high: float
    curve: str
    miss: float | None = None


def project(size: float, sizes: Sequence[float], values: Sequence[float], curves: Sequence[Curve]) -> Projection:
    """Measurements [n >= 2] at sizes [n], several at a size allowed, carried on to `size`.

    The curve is the one that, drawn through the smaller sizes, misses the largest least; the first of `curves` where
    only two sizes were measured. The range is that of all curves that miss it by no more than twice as much, widened by
    the miss for every step as long as that from the last size but one to the last, in logarithms. A curve that falls
    where sizes grow is taken to stay. Raises ValueError for fewer than two sizes or values that are not above 0.
    """
    x, y = np.asarray(sizes, np.float64), np.asarray(values, np.float64)
    known = np.unique(x)
    if len(known) < 2:
        raise ValueError("growth shows at two sizes or more")
    if (y <= 0).any():
        raise ValueError("measurements must be above 0")
    last = float(np.exp(np.log(y[x == known[-1]]).mean()))
    said = {curve.name: max(curve.at(size, x, y), last if size > known[-1] else y.min()) for curve in curves}
    if len(known) == 2:
        return Projection(said[curves[0].name], min(said.values()), max(said.values()), curves[0].name)
    before = x < known[-1]
    misses = {curve.name: curve.at(float(known[-1]), x[before], y[before]) / last - 1 for curve in curves}
    best = min(misses, key=lambda name: abs(misses[name]))
    miss = abs(misses[best])
    miss = max(miss, TOLERANCE)  # a curve through so few points may hit the last one by chance
    likely = [said[name] for name in said if abs(misses[name]) <= 2 * miss]
    steps = max(1.0, np.log(size / known[-1]) / np.log(known[-1] / known[-2]))
    wide = (1 + miss) ** float(steps)
    return Projection(said[best], min(likely) / wide, max(likely) * wide, best, misses[best])
