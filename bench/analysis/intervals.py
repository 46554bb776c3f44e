"""Confidence intervals by the bootstrap over requests.

Each resample gives every request a weight drawn from Poisson(1), the limit of drawing as many requests as there are
with replacement; all resamples of all metrics are then one matrix product. The weighted mean is a ratio of sums, so a
request without a value for a metric simply does not count. An interval's ends are percentiles of the resamples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
LEVEL = 0.95

_BLOCK = 2048  # requests weighted at a time: some megabytes of weights


class Interval(TypedDict):
    """A figure with the ends of its interval."""

    value: float
    low: float
    high: float


def mean_intervals(
    values: Mapping[str, NDArray[Any]], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> dict[str, Interval]:
    """The mean of each column [B] over the requests where it is not NaN, with its interval.

    Columns without any value are left out. Equal seeds and B give equal weights, whatever the columns are.
    """
    columns = {name: column for name, column in values.items() if not np.isnan(column).all()}
    if not columns:
        return {}
    defined = np.stack([~np.isnan(column) for column in columns.values()], axis=1)  # (B, M)
    whole = np.nan_to_num(np.stack(list(columns.values()), axis=1), nan=0.0)  # (B, M)
    return dict(zip(columns, ratio_intervals(whole, defined, seed, resamples, level), strict=True))


def ratio_intervals(
    parts: NDArray[Any], wholes: NDArray[Any], seed: int, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """sum(parts) / sum(wholes) over requests with its interval for each of M columns: [B, M] both.

    NaN for a column whose wholes sum to zero.
    """
    values = _divide(parts.sum(0, dtype=np.float64), wholes.sum(0, dtype=np.float64))  # (M,)
    low, high = percentile_ends(bootstrap_ratios(parts, wholes, seed, resamples), level)
    # Resampled sums are rounded to float32: the ends must not fall on the wrong side of a value that never varies.
    low, high = np.fmin(low, values), np.fmax(high, values)
    return [
        Interval(value=float(value), low=float(least), high=float(most))
        for value, least, most in zip(values, low, high, strict=True)
    ]


def bootstrap_ratios(
    parts: NDArray[Any], wholes: NDArray[Any], seed: int, resamples: int = RESAMPLES
) -> NDArray[np.float64]:
    """The ratio of the weighted sums: [B, M] both -> float64 [resamples, M], NaN where the divisor is 0."""
    distinct, column_of = _distinct_columns(np.asarray(wholes, np.float32))
    columns = np.concatenate([np.asarray(parts, np.float32), distinct], axis=1)  # (B, M + distinct divisors)
    sums = np.zeros((resamples, columns.shape[1]))
    for rows, weights in poisson_weights(len(columns), resamples, seed):
        sums += weights @ columns[rows]
    return _divide(sums[:, : len(column_of)], sums[:, len(column_of) + column_of])


def poisson_weights(requests: int, resamples: int, seed: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Weights Poisson(1) of every request in every resample: slices of requests, each with float32 [resamples, b].

    Drawn with 16 random bits each: weights above 8 (probability 1e-6) do not occur.
    """
    cumulative = np.cumsum([math.exp(-1) / math.factorial(count) for count in range(9)])
    table = np.searchsorted(np.round(cumulative * 65536), np.arange(65536), side="right").astype(np.float32)
    rng = np.random.default_rng(seed)
    for start in range(0, requests, _BLOCK):
        stop = min(start + _BLOCK, requests)
        yield slice(start, stop), table[rng.integers(0, 65536, (resamples, stop - start), dtype=np.uint16)]


def percentile_ends(
    samples: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The ends of the middle `level` of each column, NaN left out: [resamples, M] -> low, high float64 [M]."""
    tail = (1 - level) / 2
    if not np.isnan(samples).any():
        low, high = np.quantile(samples, [tail, 1 - tail], axis=0)
        return low, high
    ends = np.full((2, samples.shape[1]), np.nan)
    for column, sample in enumerate(samples.T):
        sample = sample[~np.isnan(sample)]
        if len(sample):
            ends[:, column] = np.quantile(sample, [tail, 1 - tail])
    return ends[0], ends[1]


def _divide(parts: NDArray[np.float64], wholes: NDArray[Any]) -> NDArray[np.float64]:
    ratios = np.full(parts.shape, np.nan)
    np.divide(parts, wholes, out=ratios, where=wholes != 0)
    return ratios


def _distinct_columns(columns: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The different columns among [B, M] (most metrics share one divisor), and which of them each column is."""
    seen: dict[bytes, int] = {}
    kept, column_of = [], []
    for column in columns.T:
        key = column.tobytes()
        if key not in seen:
            seen[key] = len(seen)
            kept.append(column)
        column_of.append(seen[key])
    return np.stack(kept, axis=1), np.array(column_of, np.int64)
