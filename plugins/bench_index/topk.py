"""The best k of each row of scored candidates."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.frontier import Rows
from bench_index.heap import rise, sink, sort


def top_k(
    ids: NDArray[np.int32], scores: NDArray[np.float32], k: int, exclude: Ragged, rows: Rows
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k best of each row, best first: ids int32 and scores float32 [B, k], padded with -1 and -inf.

    ids int32 [B, P], distinct within a row, negative for none; scores float32 [B, P]; exclude: ids of each row, sorted,
    that are passed over.
    """
    top, top_scores = np.full((len(ids), k), -1, np.int32), np.full((len(ids), k), -np.inf, np.float32)
    values = np.ascontiguousarray(exclude.values, np.int32)
    rows(_top_k, ids, scores, exclude.offsets, values, top, top_scores)
    return top, top_scores


@numba.njit(cache=True, nogil=True)
def _top_k(lo, hi, ids, scores, offsets, exclude, top, top_scores):  # type: ignore[no-untyped-def]
    width = top.shape[1]
    for row in range(lo, hi):
        best, best_scores, unused = top[row], top_scores[row], np.zeros(width, np.bool_)
        size = 0
        barred = exclude[offsets[row] : offsets[row + 1]]
        for at in range(ids.shape[1]):
            score, item = scores[row, at], ids[row, at]
            if item < 0 or (size == width and not score > best_scores[0]):
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
        sort(best_scores, best, unused, size)
