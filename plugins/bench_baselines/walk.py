"""Adding up the neighbours of a history, one compiled loop a request."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import Answer, Ragged, Requests
from bench_baselines.neighbours import Neighbours

LAST = np.int64(0x7FFFFFFF)


def walk_neighbours(
    neighbours: Neighbours,
    eligible: NDArray[np.bool_],
    prior: NDArray[np.float32],
    ranking: NDArray[np.int32],
    requests: Requests,
    k: int,
) -> Answer:
    """The k eligible items of the largest summed similarity with each history, then those without any by their prior.

    eligible, prior (negative) [items]; ranking int32 [candidates], by prior. work counts the neighbours added up.
    """
    ids = np.full((len(requests), k), -1, np.int32)
    scores = np.full((len(requests), k), -np.inf, np.float32)
    work = np.zeros(len(requests), np.int32)
    _walk(
        *neighbours, *_arrays(requests.history), *_arrays(requests.exclude), eligible, prior, ranking, ids, scores, work
    )
    return Answer(ids, scores, work)


def score_items(
    neighbours: Neighbours, prior: NDArray[np.float32], requests: Requests, items: NDArray[np.int32]
) -> NDArray[np.float32]:
    """The summed similarity of `items` int32 [C] with each history, else the prior [items]: float32 [B, C]."""
    scores = np.empty((len(requests), len(items)), np.float32)
    _score(*neighbours, *_arrays(requests.history), np.array(items), prior, scores)
    return scores


def _arrays(ragged: Ragged) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Read-only plain arrays over the same memory: numba compiles once for them, and is slow to see a memory map."""
    offsets, values = np.asarray(ragged.offsets)[:], np.asarray(ragged.values)[:]
    offsets.flags.writeable = values.flags.writeable = False
    return offsets, values


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _add_up(offsets, nearest, similarities, history, used, totals, met):  # type: ignore[no-untyped-def]
    """Add the similarities of each distinct item of `history` to `totals` [items]; returns (work, items met)."""
    work, count = 0, 0
    for item in history:
        if used[item] or item + 1 >= len(offsets):  # a repetition, or newer than training
            continue
        used[item] = True
        work += offsets[item + 1] - offsets[item]
        for at in range(offsets[item], offsets[item + 1]):
            target = nearest[at]
            if totals[target] == 0:
                met[count] = target
                count += 1
            totals[target] += similarities[at]
    for item in history:
        used[item] = False
    return work, count


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _best(met, totals, closed, keys):  # type: ignore[no-untyped-def]
    """Put the best of `met` that are not closed at the front of `keys` int64 [2k], best first; returns how many."""
    k = len(keys) // 2
    bits = totals.view(np.int32)  # positive floats are ordered as their bits are
    filled, bar = 0, np.iinfo(np.int64).max
    for item in met:
        # keys ascend from the best; of equal scores the smaller id comes first
        key = ((LAST - np.int64(bits[item])) << 32) | np.int64(item)
        if key >= bar or closed[item]:
            continue
        keys[filled] = key
        filled += 1
        if filled == 2 * k:
            keys.sort()
            filled, bar = k, keys[k - 1]
    keys[:filled].sort()
    return min(filled, k)


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _walk(  # type: ignore[no-untyped-def]
    offsets,
    nearest,
    similarities,
    history_offsets,
    history,
    exclude_offsets,
    exclude,
    eligible,
    prior,
    ranking,
    ids,  # -1 int32 [B, k]
    scores,  # -inf float32 [B, k]
    work,  # int32 [B]
):
    k, size = ids.shape[1], len(eligible)
    totals = np.zeros(size, np.float32)
    met = np.empty(size, np.int32)
    keys = np.empty(2 * min(k, size), np.int64)
    used = np.zeros(size, np.bool_)
    closed = ~eligible  # must not be answered (again)
    for row in range(len(ids)):
        seen = history[history_offsets[row] : history_offsets[row + 1]]
        excluded = exclude[exclude_offsets[row] : exclude_offsets[row + 1]]
        work[row], count = _add_up(offsets, nearest, similarities, seen, used, totals, met)
        for item in excluded:
            closed[item] = True
        found = _best(met[:count], totals, closed, keys)
        for place in range(found):
            ids[row, place] = keys[place] & LAST
            scores[row, place] = totals[ids[row, place]]
        for item in met[:count]:
            totals[item] = 0
        if found < k:  # the popular ones follow
            for place in range(found):
                closed[ids[row, place]] = True
            near = found
            for item in ranking:
                if found == k:
                    break
                if not closed[item]:
                    ids[row, found] = item
                    scores[row, found] = prior[item]
                    found += 1
            for place in range(near):
                closed[ids[row, place]] = False
        for item in excluded:
            closed[item] = not eligible[item]


@njit(nogil=True, cache=True)  # type: ignore[untyped-decorator]
def _score(  # type: ignore[no-untyped-def]
    offsets, nearest, similarities, history_offsets, history, items, prior, scores
):
    """Fill `scores` [B, C] with the summed similarity, or the prior, of `items` [C]."""
    size = len(prior)
    totals = np.zeros(size, np.float32)
    met = np.empty(size, np.int32)
    used = np.zeros(size, np.bool_)
    for row in range(len(scores)):
        seen = history[history_offsets[row] : history_offsets[row + 1]]
        _, count = _add_up(offsets, nearest, similarities, seen, used, totals, met)
        for column in range(len(items)):
            total = totals[items[column]]
            scores[row, column] = total if total > 0 else prior[items[column]]
        for item in met[:count]:
            totals[item] = 0
