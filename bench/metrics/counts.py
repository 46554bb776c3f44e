"""Compiled loops that count answers: those in a set, their mean value, and how evenly they use the catalog."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.metrics.compiled import FLOATS, IDS, INT, INTS, LONGS, compiled


@compiled(IDS, LONGS, INTS, INT, LONGS)
def count_members(
    ids: NDArray[np.int32],
    offsets: NDArray[np.int64],
    values: NDArray[np.int32],
    size: int,
    ks: NDArray[np.int64],
) -> NDArray[np.int64]:
    """How many of the first k answers lie in the request's row of a Ragged: int64 [len(ks), B]; ks ascending."""
    rows = len(offsets) - 1
    result = np.zeros((len(ks), rows), np.int64)
    owner = np.full(size, -1, np.int64)  # the last request whose row holds the item
    for row in range(rows):
        for at in range(offsets[row], offsets[row + 1]):
            owner[values[at]] = row
        met, rank = 0, 0
        for column in range(len(ks)):
            while rank < min(ks[column], ids.shape[1]):
                item = ids[row, rank]
                if 0 <= item < size and owner[item] == row:
                    met += 1
                rank += 1
            result[column, row] = met
    return result


@compiled(IDS, FLOATS, LONGS)
def sum_values(
    ids: NDArray[np.int32], values: NDArray[np.float64], ks: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sum of `values` [items] over the first k answers, and their number without pads: [len(ks), B] each."""
    rows, width = ids.shape
    sums = np.zeros((len(ks), rows), np.float64)
    counts = np.zeros((len(ks), rows), np.int64)
    for row in range(rows):
        total, count, rank = 0.0, 0, 0
        for column in range(len(ks)):
            while rank < min(ks[column], width):
                item = ids[row, rank]
                if item >= 0:
                    total += values[item]
                    count += 1
                rank += 1
            sums[column, row] = total
            counts[column, row] = count
    return sums, counts


@compiled(LONGS, INT)
def spread(sizes: NDArray[np.int64], items: int) -> tuple[float, float]:
    """Coverage and Gini coefficient of `items` counts, of which sizes[c] are equal to c; Gini is NaN without any."""
    total, weighted, before = 0.0, 0.0, 0.0
    for count in range(len(sizes)):
        same = float(sizes[count])
        total += same * count
        weighted += count * (same * before + same * (same + 1.0) / 2.0)  # sum of the places, from 1, times the count
        before += same
    gini = np.nan if total == 0.0 else 2.0 * weighted / (items * total) - (items + 1.0) / items
    return 1.0 - sizes[0] / items, gini


@compiled(IDS, INT, INT, LONGS, LONGS)
def spread_without(
    ids: NDArray[np.int32], width: int, items: int, offsets: NDArray[np.int64], members: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Coverage and Gini over the first `width` answers of all requests and without each of G groups of requests.

    ids int32 [B, >= width]; the groups' requests as the offsets [G + 1] and values of a Ragged -> [2, G + 1], all
    requests in column 0. Only the histogram of the counts is kept up to date, so that the cost is that of the answers.
    """
    rows = ids.shape[0]
    largest = 0
    for row in range(rows):
        for rank in range(width):
            largest = max(largest, int(ids[row, rank]))
    counts = np.zeros(largest + 1, np.int64)
    for row in range(rows):
        for rank in range(width):
            if ids[row, rank] >= 0:
                counts[ids[row, rank]] += 1
    most = 0
    for count in counts:
        most = max(most, int(count))
    sizes = np.zeros(most + 1, np.int64)  # how many items are answered so often
    for count in counts:
        sizes[count] += 1
    sizes[0] += items - len(counts)
    result = np.empty((2, len(offsets)), np.float64)
    result[0, 0], result[1, 0] = spread(sizes, items)
    for group in range(len(offsets) - 1):
        for step in (-1, 1):
            for at in range(offsets[group], offsets[group + 1]):
                for rank in range(width):
                    item = ids[members[at], rank]
                    if item >= 0:
                        sizes[counts[item]] -= 1
                        counts[item] += step
                        sizes[counts[item]] += 1
            if step == -1:
                result[0, group + 1], result[1, group + 1] = spread(sizes, items)
    return result
