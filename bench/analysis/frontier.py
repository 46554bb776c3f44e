"""The Pareto frontier: what no other point beats on both sides."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def pareto_frontier(quality: NDArray[Any], cost: NDArray[Any]) -> NDArray[np.bool_]:
    """Which points no other point dominates: float [N], more is better, and float [N], less is better -> bool [N].

    A point is dominated by one at least as good and at most as costly, and not equal in both: equal points stand or
    fall together. A point with a NaN is never on the frontier and dominates nothing.
    """
    quality, cost = np.asarray(quality, np.float64), np.asarray(cost, np.float64)
    order = np.lexsort((-quality, cost))  # cheap first, among equally cheap ones good first; NaN last
    frontier = np.zeros(len(order), np.bool_)
    best, paid = -np.inf, np.nan
    for at in order:
        if np.isnan(quality[at]) or np.isnan(cost[at]):
            continue
        if quality[at] > best or np.isnan(paid):
            best, paid = quality[at], cost[at]
            frontier[at] = True
        elif quality[at] == best and cost[at] == paid:
            frontier[at] = True
    return frontier
