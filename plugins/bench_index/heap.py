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
def merge(found, scores, counts, width, beam, beam_scores, fresh, beam_counts):  # type: ignore[no-untyped-def]
    """Keep the `width` best of each row's beam and its newly scored nodes, best first.

    found int32 and scores float32 [B, C], counts int64 [B]: the first so many of each row; beam int32, beam_scores
    float32 and fresh bool (not expanded yet) [B, W], W >= width, best first, and beam_counts int64 [B]: changed.
    """
    for row in range(len(counts)):
        size = min(beam_counts[row], width)
        nodes, tops, new = beam[row], beam_scores[row], fresh[row]
        for at in range(size // 2):  # best first, turned round, is a heap
            other = size - 1 - at
            nodes[at], nodes[other] = nodes[other], nodes[at]
            tops[at], tops[other] = tops[other], tops[at]
            new[at], new[other] = new[other], new[at]
        for at in range(counts[row]):
            score = scores[row, at]
            if size < width:
                rise(tops, nodes, new, size, score, found[row, at])
                size += 1
            elif score > tops[0]:
                tops[0], nodes[0], new[0] = score, found[row, at], True
                sink(tops, nodes, new, 0, size)
        sort(tops, nodes, new, size)
        beam_counts[row] = size


@numba.njit(cache=True, nogil=True)
def collect(found, scores, counts, items, offsets, exclude, top, top_scores, top_counts, improved):  # type: ignore[no-untyped-def]
    """Keep the best allowed items of each row in heaps of k.

    found int32 (nodes) and scores float32 [B, C], counts int64 [B]; items int32: the catalog id of each node, negative
    for none; offsets int64 [B + 1] and exclude int32: each row's barred ids, sorted; top int32 (ids), top_scores
    float32 [B, k] and top_counts int64 [B]: changed; improved bool [B] is written: whether anything came in.
    """
    width = top.shape[1]
    unused = np.zeros(width, np.bool_)
    for row in range(len(counts)):
        best, best_scores, size = top[row], top_scores[row], top_counts[row]
        barred = exclude[offsets[row] : offsets[row + 1]]
        came = False
        for at in range(counts[row]):
            score = scores[row, at]
            if size == width and (width == 0 or not score > best_scores[0]):
                continue
            item = items[found[row, at]]
            if item < 0:
                continue
            place = np.searchsorted(barred, item)
            if place < len(barred) and barred[place] == item:
                continue
            came = True
            if size < width:
                rise(best_scores, best, unused, size, score, item)
                size += 1
            else:
                best_scores[0], best[0] = score, item
                sink(best_scores, best, unused, 0, size)
        top_counts[row] = size
        improved[row] = came


@numba.njit(cache=True, nogil=True)
def sort_rows(top, top_scores, top_counts):  # type: ignore[no-untyped-def]
    """Turn each row's heap into the order best first."""
    unused = np.zeros(top.shape[1], np.bool_)
    for row in range(len(top_counts)):
        sort(top_scores[row], top[row], unused, top_counts[row])
