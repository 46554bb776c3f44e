"""How much of the catalog the answers of all requests together use: coverage and Gini coefficient, with intervals.

Both are figures of the whole set of requests, not means over requests, and both depend on how many requests there are:
coverage grows with them. A bootstrap cannot give their interval: a resample holds only 63% of the requests, so
its coverage is always lower. The intervals here come from leaving groups of requests out, one after another
(delete-a-group jackknife), and are centred at the estimate. They err on the wide side (Efron and Stein, The Jackknife
Estimate of Variance, Annals of Statistics, 1981), and say how the figure would vary with as many other requests.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.analysis.intervals import Interval

GROUPS = 50
STUDENT_95 = 2.01  # quantile .975 of Student's t with GROUPS - 1 degrees of freedom


def catalog_use(ids: NDArray[np.int32], ks: Sequence[int], catalog_size: int, seed: int) -> dict[str, Interval]:
    """{"coverage@50": interval, "gini@50": interval}; `seed` deals the requests to the groups.

    ids int32 [B, k'], -1 pads; catalog_size: how many items may be answered. coverage@k: share of them among the first
    k answers of any request. gini@k: how unevenly they are answered, 0 (all equally often) to 1 - 1/catalog_size (one
    item alone); left out where nothing is answered. A single request has its value as both ends of the interval.
    """
    from bench.metrics.counts import spread_without

    requests = len(ids)
    if not requests:
        return {}
    groups = min(GROUPS, requests)
    members = np.random.default_rng([seed, groups]).permutation(requests)
    bounds = np.linspace(0, requests, groups + 1).astype(np.int64)
    ids = np.ascontiguousarray(ids, np.int32)
    if ids.max(initial=-1) < 0:
        return {f"coverage@{k}": Interval(value=0.0, low=0.0, high=0.0) for k in ks}
    result = {}
    for k in ks:
        spreads = spread_without(ids, min(k, ids.shape[1]), catalog_size, bounds, members)  # (2, 1 + groups)
        for name, row in zip(("coverage", "gini"), spreads, strict=True):
            result[f"{name}@{k}"] = _interval(float(row[0]), row[1:])
    return result


def _interval(value: float, without: NDArray[np.float64]) -> Interval:
    """From the value of all requests and the values [G] without each group, NaN where no answer is left then."""
    without = without[~np.isnan(without)]
    half = STUDENT_95 * float(np.sqrt((len(without) - 1) * np.var(without))) if len(without) else 0.0
    return Interval(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0))
