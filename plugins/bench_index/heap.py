"""A bounded heap in plain arrays, the worst score at position 0: what keeps the best of a stream, compiled."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def sink(scores, nodes, fresh, at, size):  # type: ignore[no-untyped-def]
    """Restore the heap (worst score at 0) below position `at`."""
    score, node, new = scores[at], nodes[at], fresh[at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and scores[child + 1] < scores[child]:
            child += 1
        if scores[child] >= score:
            break
        scores[at], nodes[at], fresh[at] = scores[child], nodes[child], fresh[child]
        at = child
    scores[at], nodes[at], fresh[at] = score, node, new


@numba.njit(cache=True, nogil=True)
def rise(scores, nodes, fresh, size, score, node):  # type: ignore[no-untyped-def]
    """Add a fresh entry to a heap of `size`."""
    at = size
    while at > 0 and scores[(at - 1) >> 1] > score:
        up = (at - 1) >> 1
        scores[at], nodes[at], fresh[at] = scores[up], nodes[up], fresh[up]
        at = up
    scores[at], nodes[at], fresh[at] = score, node, True


@numba.njit(cache=True, nogil=True)
def sort(scores, nodes, fresh, size):  # type: ignore[no-untyped-def]
    """Turn a heap of `size` into the order best first."""
    for last in range(size - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        nodes[0], nodes[last] = nodes[last], nodes[0]
        fresh[0], fresh[last] = fresh[last], fresh[0]
        sink(scores, nodes, fresh, 0, last)


@numba.njit(cache=True, nogil=True)
def collect(found, scores, counts, items, offsets, exclude, bound, top, top_scores, top_counts):  # type: ignore[no-untyped-def]
    """Keep the best allowed items of each row in heaps of k.

    found int32 (nodes) and scores float32 [B, C], counts int64 [B]; items int32: the catalog id of each node, negative
    for none; offsets int64 [B + 1] and exclude int32: each row's barred ids, sorted; bound float32 [B]: no score below
    it can be among the best; top int32 (ids), top_scores float32 [B, k] and top_counts int64 [B]: changed.
    """
    width = top.shape[1]
    if not width:
        return
    unused = np.zeros(width, np.bool_)
    for row in range(len(counts)):
        best, best_scores, size = top[row], top_scores[row], top_counts[row]
        barred = exclude[offsets[row] : offsets[row + 1]]
        least = bound[row]
        for at in range(counts[row]):
            score = scores[row, at]
            if score < least or (size == width and not score > best_scores[0]):
                continue
            item = items[found[row, at]]
            if item < 0:
                continue
            place = np.searchsorted(barred, item)
            if place < len(barred) and barred[place] == item:
                continue
            if size < width:
                rise(best_scores, best, unused, size, score, item)
                size += 1
            else:
                best_scores[0], best[0] = score, item
                sink(best_scores, best, unused, 0, size)
        top_counts[row] = size


@numba.njit(cache=True, nogil=True)
def sort_rows(top, top_scores, top_counts):  # type: ignore[no-untyped-def]
    """Turn each row's heap into the order best first."""
    unused = np.zeros(top.shape[1], np.bool_)
    for row in range(len(top_counts)):
        sort(top_scores[row], top[row], unused, top_counts[row])


@numba.njit(cache=True, nogil=True)
def least(found, scores, counts, items, offsets, exclude, k, bound):  # type: ignore[no-untyped-def]
    """bound float32 [B]: the k-th score of the allowed ones of each row, which are in order, where there are k."""
    for row in range(len(counts)):
        barred = exclude[offsets[row] : offsets[row + 1]]
        size = 0
        for at in range(counts[row]):
            item = items[found[row, at]]
            place = np.searchsorted(barred, item)
            if item >= 0 and (place == len(barred) or barred[place] != item):
                size += 1
                if size == k:
                    bound[row] = scores[row, at]
                    break
