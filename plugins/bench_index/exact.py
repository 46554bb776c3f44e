"""Exact search: every node of the index is scored."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.scoring import Scorer, in_threads
from bench_index.topk import TopK

SCORES_AT_ONCE = 1 << 22  # bounds the memory of a block of scores


def exact_search(items: NDArray[np.int32], scorer: Scorer, k: int, exclude: Ragged, threads: int = 1) -> Answer:
    """The k best of all nodes for each of the scorer's B requests; items int32 [N] is the catalog id of each node."""

    def run(scorer: Scorer, start: int, stop: int) -> Answer:
        return _exact(items, scorer, k, exclude[start:stop])

    return in_threads(scorer, len(exclude), threads, run)


def _exact(items: NDArray[np.int32], scorer: Scorer, k: int, exclude: Ragged) -> Answer:
    batch, size, top = len(exclude), len(items), TopK(items, k, exclude)
    step = max(1, SCORES_AT_ONCE // max(batch, 1))
    for start in range(0, size, step):
        stop = min(start + step, size)
        nodes = np.broadcast_to(np.arange(start, stop, dtype=np.int32), (batch, stop - start))
        top.add(nodes, scorer.block(start, stop), np.full(batch, stop - start, np.int64))
    ids, scores = top.answer()
    return Answer(ids, scores, np.full(batch, size, np.int32))


class InnerProduct:
    """The Scorer of vectors: queries float32 [B, D], vectors float32 [N, D] in the order of the nodes."""

    def __init__(self, queries: NDArray[np.float32], vectors: NDArray[np.float32]) -> None:
        self.queries, self.vectors = queries, vectors

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.queries[start:stop], self.vectors)

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        return self.queries @ self.vectors[start:stop].T  # (B, stop - start)

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.matmul(self.vectors[nodes], self.queries[:, :, None])[:, :, 0]  # (B, C)
