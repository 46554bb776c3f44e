"""Compiled loops behind accuracy: where the targets stand in the answers, and what that is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.compiled import BOOL, IDS, INT, INTS, LONGS, compiled

ABSENT = np.iinfo(np.int32).max  # the rank of a target that was not answered: larger than any k


@compiled(IDS, INT, LONGS, INTS, INT)
def rank_targets(
    ids: NDArray[np.int32], width: int, offsets: NDArray[np.int64], values: NDArray[np.int32], size: int
) -> NDArray[np.int32]:
    """The rank from 0 of each target among the first `width` answers of its request, ABSENT where it is not there.

    ids int32 [B, >= width]; the targets as the offsets [B + 1] and values [T] of a Ragged, below `size` -> int32 [T].
    An item that is answered twice has the rank of its first place.
    """
    ranks = np.empty(len(values), np.int32)
    state = np.zeros(size, np.int32)  # 0: no target of this request, -1: a target, r + 1: a target found at rank r
    for row in range(len(offsets) - 1):
        start, stop = offsets[row], offsets[row + 1]
        for at in range(start, stop):
            state[values[at]] = -1
        for rank in range(width):
            item = ids[row, rank]
            if 0 <= item < size and state[item] == -1:
                state[item] = rank + 1
        for at in range(start, stop):
            found = state[values[at]]
            ranks[at] = found - 1 if found > 0 else ABSENT
        for at in range(start, stop):
            state[values[at]] = 0
    return ranks


@compiled(INTS, LONGS, INTS, INT, LONGS, BOOL)
def measure(
    ranks: NDArray[np.int32],
    offsets: NDArray[np.int64],
    values: NDArray[np.int32],
    size: int,
    ks: NDArray[np.int64],
    over_reachable: bool,
) -> NDArray[np.float32]:
    """Precision, recall, F1, hit rate, NDCG, MRR, MAP (in this order) at each k, ascending: float32 [7, len(ks), B].

    ranks int32 [T] as `rank_targets` gives them for the targets, a Ragged of offsets [B + 1] and values [T] below
    `size`. NaN for a request without targets. `over_reachable` divides recall and MAP by what k answers can reach
    instead of by all targets.
    """
    rows = len(offsets) - 1
    result = np.full((7, len(ks), rows), np.nan, np.float32)
    longest = np.int64(0)
    for row in range(rows):
        longest = max(longest, offsets[row + 1] - offsets[row])
    depth = np.int64(0)  # beyond it there is neither a hit nor a gain of the ideal answer
    for rank in ranks:
        if rank != ABSENT:
            depth = max(depth, np.int64(rank) + 1)
    discount = 1.0 / np.log2(np.arange(max(depth, longest)) + 2.0)
    times = np.zeros(size, np.int64)  # how often an item is a target of the request
    distinct = np.zeros(longest + 1, np.int64)  # how many items are a target so often
    gains = np.zeros(depth, np.int64)  # how often the answer at a rank is a target
    for row in range(rows):
        start, stop = offsets[row], offsets[row + 1]
        total = stop - start
        if total == 0:
            continue
        most = np.int64(0)
        for at in range(start, stop):
            times[values[at]] += 1
            most = max(most, times[values[at]])
            if ranks[at] < depth:
                gains[ranks[at]] += 1
        for at in range(start, stop):
            if times[values[at]]:
                distinct[times[values[at]]] += 1
                times[values[at]] = 0
        # The ideal answer takes the targets that occur most often first; `left` of them occur `most` times.
        highest, left, place, rank = most, distinct[most], 0, 0
        reachable, ideal = np.int64(0), 0.0
        hits, answered, first, gain, precisions = 0, 0, 0.0, 0.0, 0.0
        for column in range(len(ks)):
            k = ks[column]
            while place < k and most > 0:
                if left == 0:
                    most -= 1
                    left = distinct[most]
                else:
                    reachable += most
                    ideal += most * discount[place]
                    left -= 1
                    place += 1
            while rank < min(k, depth):
                if gains[rank] > 0:
                    answered += 1
                    hits += int(gains[rank])
                    gain += gains[rank] * discount[rank]
                    precisions += gains[rank] * answered / (rank + 1.0)
                    if answered == 1:
                        first = 1.0 / (rank + 1.0)
                    gains[rank] = 0
                rank += 1
            whole = reachable if over_reachable else total
            result[0, column, row] = hits / k
            result[1, column, row] = hits / whole
            result[2, column, row] = 2.0 * hits / (k + whole)
            result[3, column, row] = 1.0 if hits else 0.0
            result[4, column, row] = gain / ideal
            result[5, column, row] = first
            result[6, column, row] = precisions / whole
        gains[rank:] = 0
        distinct[: highest + 1] = 0
    return result
