"""Exact search: every node of the index is scored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.beam import Scorer
from bench_index.frontier import Rows
from bench_index.topk import top_k

SCORES_AT_ONCE = 1 << 24  # bounds the memory of a block of scores


def exact_search(items: NDArray[np.int32], scorer: Scorer, k: int, exclude: Ragged, threads: int = 1) -> Answer:
    """The k best of all nodes for each of the scorer's B requests; items int32 [N] is the catalog id of each node."""
    batch, size = len(exclude), len(items)
    step = max(1, SCORES_AT_ONCE // max(batch, 1) - k)
    ids, scores = np.zeros((batch, 0), np.int32), np.zeros((batch, 0), np.float32)
    with Rows(batch, threads) as rows:
        for start in range(0, max(size, 1), step):
            stop = min(start + step, size)
            block = np.broadcast_to(items[start:stop], (batch, stop - start))
            ids = np.concatenate([ids, block], axis=1)
            scores = np.concatenate([scores, scorer.block(start, stop)], axis=1)
            ids, scores = top_k(ids, scores, k, exclude, rows)
    return Answer(ids, scores, np.full(batch, size, np.int32))


class InnerProduct:
    """The Scorer of vectors: queries float32 [B, D], vectors float32 [N, D] in the order of the nodes."""

    def __init__(self, queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> None:
        self.queries, self.vectors = queries, vectors

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.queries @ self.vectors[start:stop].T  # (B, stop - start)

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.matmul(self.vectors[nodes], self.queries[:, :, None])[:, :, 0]  # (B, C)
