"""One answer from those of several shards."""

from __future__ import annotations

from collections.abc import Sequence

import numba
import numpy as np

from bench import Answer, InvalidAnswer


def merged(answers: Sequence[Answer], method: str) -> Answer:
    """The k best of each request among the answers of all shards, which hold different items; of equal scores, where
    they meet, the smaller id first. Work is the sum; unknown where a shard does not tell.

    Exact: an item among the k best of all is among the k best of its shard. Raises InvalidAnswer where an answer has no
    scores, or one that is NaN.
    """
    scores = [answer.scores for answer in answers if answer.scores is not None]
    if len(scores) < len(answers):
        raise InvalidAnswer(f"{method} answers without scores, by which the answers of shards are put in order")
    stacked = np.stack(scores).astype(np.float32, copy=False)  # (S, B, k)
    ids = np.stack([answer.ids for answer in answers])
    if np.isnan(stacked).any(where=ids >= 0):
        raise InvalidAnswer(f"{method}: a score that is NaN")
    works = [answer.work for answer in answers if answer.work is not None]
    work = np.sum(works, axis=0, dtype=np.int32) if len(works) == len(answers) else None
    return Answer(*_merge(ids, stacked), work)


@numba.njit(cache=True, nogil=True)
def _merge(ids, scores):  # type: ignore[no-untyped-def]
    """ids int32 and scores float32 [S, B, k], each row best first and -1 last -> [B, k] likewise."""
    shards, rows, k = ids.shape
    best = np.full((rows, k), np.int32(-1), np.int32)
    best_scores = np.full((rows, k), np.float32(-np.inf), np.float32)
    heads = np.empty(shards, np.int64)
    for row in range(rows):
        heads[:] = 0
        for place in range(k):
            chosen = -1
            for shard in range(shards):
                at = heads[shard]
                if at == k or ids[shard, row, at] < 0:
                    continue
                if chosen >= 0:
                    score, other = scores[shard, row, at], scores[chosen, row, heads[chosen]]
                    later = ids[shard, row, at] > ids[chosen, row, heads[chosen]]
                    if score < other or (score == other and later):
                        continue
                chosen = shard
            if chosen < 0:
                break
            best[row, place] = ids[chosen, row, heads[chosen]]
            best_scores[row, place] = scores[chosen, row, heads[chosen]]
            heads[chosen] += 1
    return best, best_scores
