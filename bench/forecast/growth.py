"""From what small pilots took to what the whole will take. Sizes are shares of the whole, above 0 and up to 1."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench.forecast.cost import Span

STEEPEST = 2.0  # the largest power of the size that is believed
SLACK = 1.25  # what an estimate may be off by beyond the disagreement of its two curves
NOISE = 0.2  # of the logarithm of two timings' ratio: the further a curve is drawn beyond them, the more it counts


def growing(sizes: Sequence[float], seconds: Sequence[float]) -> Span:
    """At size 1, from pilots in increasing order of size, of which the last two count.

    Growth slower than the size is read as a fixed part and a proportional one, faster growth as a power of the size;
    the other curve bounds the range, and what chance does to two timings. A single pilot is taken as proportional.
    """
    if len(sizes) == 1:
        (size,), (spent,) = sizes, seconds
        return Span(spent / size, spent, spent / size**1.5)
    if sizes[-1] <= sizes[-2]:
        return Span(seconds[-1], seconds[-1] / SLACK, seconds[-1] / sizes[-1] * SLACK)  # as few requests in both
    line, power, steep = _line(sizes, seconds), *_power(sizes, seconds)
    low, high = sorted((line, power))
    wide = SLACK * (1 / sizes[-1]) ** (NOISE / math.log(sizes[-1] / sizes[-2]))
    return Span(power if steep > 1 else line, low / wide, high * wide)


def mostly_fixed(sizes: Sequence[float], amounts: Sequence[float]) -> Span:
    """At size 1, as a fixed part and a proportional one; a single pilot tells the least, its proportion the most."""
    if len(sizes) == 1:
        (size,), (amount,) = sizes, amounts
        return Span(amount, amount, amount / size)
    whole = _line(sizes, amounts)
    return Span(whole, max(amounts[-1], whole / SLACK), whole * SLACK)


def _line(sizes: Sequence[float], values: Sequence[float]) -> float:
    """a + b at size 1 through the last point, b >= 0."""
    slope = (values[-1] - values[-2]) / (sizes[-1] - sizes[-2])
    return values[-1] + max(0.0, slope) * (1 - sizes[-1])


def _power(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """c size^e at size 1 through the last point, and e, from 0 to STEEPEST."""
    if not 0 < values[-2] < values[-1]:
        return values[-1], 0.0
    steep = math.log(values[-1] / values[-2]) / math.log(sizes[-1] / sizes[-2])
    steep = min(STEEPEST, steep)
    return values[-1] / sizes[-1] ** steep, steep
