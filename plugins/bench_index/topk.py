"""The best k of each request among all that is scored for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.heap import collect, least, sort_rows


class TopK:
    """The best k allowed items of B requests, kept as scores come in.

    items int32 [N]: the catalog id of each node, negative for a removed one; exclude: B rows of ids, sorted, that are
    passed over.
    """

    def __init__(self, items: NDArray[np.int32], k: int, exclude: Ragged) -> None:
        batch = len(exclude)
        self.items, self.k, self.offsets = items, k, exclude.offsets
        self.exclude = np.ascontiguousarray(exclude.values, np.int32)
        self.ids, self.scores = np.full((batch, k), -1, np.int32), np.full((batch, k), -np.inf, np.float32)
        self.counts, self.bound = np.zeros(batch, np.int64), np.full(batch, -np.inf, np.float32)

    def expect(self, nodes: NDArray[np.int32], scores: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
        """Learn from some of the best, which will come in later, how good the best k will be at least: fewer pass."""
        least(nodes, scores, counts, self.items, self.offsets, self.exclude, self.k, self.bound)

    def add(self, nodes: NDArray[np.int32], scores: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
        """Take in nodes int32 [B, C], new ones, with scores float32 [B, C]: the first counts int64 [B] of each row."""
        collect(
            *(nodes, scores, counts, self.items, self.offsets, self.exclude, self.bound),
            *(self.ids, self.scores, self.counts),
        )

    def answer(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """ids int32 and scores float32 [B, k], best first, padded with -1 and -inf."""
        ids, scores = self.ids.copy(), self.scores.copy()
        sort_rows(ids, scores, self.counts)
        return ids, scores
