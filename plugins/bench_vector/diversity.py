"""An answer whose items are of many categories."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def diverse(
    ids: NDArray[np.int32], scores: NDArray[np.float32], categories: NDArray[np.int64], k: int, weight: float
) -> NDArray[np.bool_]:
    """Which k of each row's candidates are chosen, bool [B, C].

    One after the other, each time what adds most to sum_i f_i + weight sum_ij [categories differ] (ComiRec, KDD 2020,
    equation 13 and algorithm 2). ids int32 [B, C], -1 for none, scores float32 [B, C], best first, categories int64
    [B, C].
    """
    chosen = np.zeros(ids.shape, np.bool_)
    for row in range(len(ids)):
        taken = chosen[row]
        alike = np.zeros(ids.shape[1], np.int64)  # chosen ones of the candidate's category
        for place in range(k):
            best, at = -np.inf, -1
            for one in range(ids.shape[1]):
                if taken[one] or ids[row, one] < 0:
                    continue
                value = scores[row, one] + weight * (place - alike[one])
                if value > best:
                    best, at = value, one
            if at < 0:
                break
            taken[at] = True
            for one in range(ids.shape[1]):
                alike[one] += categories[row, one] == categories[row, at]
    return chosen
