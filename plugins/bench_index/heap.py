"""A bounded heap in plain arrays, the worst score at position 0: what keeps the best of a stream, compiled."""

from __future__ import annotations

import numba


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
