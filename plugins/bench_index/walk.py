"""The state of a search over a batch of requests in lock-step: visited sets, beams, and the best of what was scored."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.frontier import bitmaps, enter, expand, most_links, unvisited
from bench_index.graph import Graph
from bench_index.merging import merge
from bench_index.scoring import Scorer
from bench_index.topk import TopK

UNBOUNDED = 1 << 40
WIDEN = 4096  # items that a request too short of answers takes at once


class Walk:
    """B requests over one graph. A round finds new nodes for every request, scores them and keeps the best.

    width: the widest beam; room int64 [B]: the items that may be scored for each request.
    """

    def __init__(
        self, graph: Graph, scorer: Scorer, k: int, exclude: Ragged, width: int, room: NDArray[np.int64]
    ) -> None:
        batch = len(exclude)
        self.graph, self.scorer, self.room = graph, scorer, room
        self.top = TopK(graph.items, k, exclude)
        self.scored: list[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]] = []
        self.improved = np.zeros(batch, np.bool_)  # whether the last round brought something into a beam's best k
        self.visited = bitmaps(batch, len(graph))  # (B, N / 64)
        self.work = np.zeros(batch, np.int64)
        self.beam, self.beam_scores = np.zeros((batch, width), np.int32), np.zeros((batch, width), np.float32)
        self.fresh, self.beam_counts = np.zeros((batch, width), np.bool_), np.zeros(batch, np.int64)
        self.found, self.counts = np.zeros((batch, 0), np.int32), np.zeros(batch, np.int64)

    def score_layer(self, stop: int, width: int) -> None:
        """Score the nodes 0 .. stop - 1 for every request."""
        batch = len(self.work)
        self.visited[:, : stop >> 6] = ~np.uint64(0)
        if stop & 63:
            self.visited[:, stop >> 6] = (np.uint64(1) << np.uint64(stop & 63)) - np.uint64(1)
        self.room -= stop
        self.counts[:] = stop
        nodes = np.broadcast_to(np.arange(stop, dtype=np.int32), (batch, stop))
        self._keep(nodes, self.scorer.block(0, stop), width)

    def score_entries(self, entries: NDArray[np.int32], width: int) -> None:
        """Score each request's own nodes int32 [B, E], negative for none."""
        found = self._space(entries.shape[1])
        enter(entries, self.room, self.visited, found, self.counts)
        self._score(found, width)

    def descend(self, width: int) -> None:
        """All candidates may be expanded again, on the next layer, the best `width` of them."""
        self.fresh[:] = True
        np.minimum(self.beam_counts, width, out=self.beam_counts)

    def round(
        self, level: int, width: int, left: NDArray[np.int64], quota: int = UNBOUNDED, reach: int = UNBOUNDED
    ) -> bool:
        """Score up to `quota` new neighbours of each beam and keep the `width` best; False where none has any.

        left int64 [B]: so many candidates may yet be expanded; it falls. reach: only so many of the best may be.
        """
        layer, reached = self.graph.layers[level], np.minimum(self.beam_counts, reach)
        quota = min(quota, int(self.room.max(initial=0)))
        if quota >= self.found.shape[1]:
            quota = min(quota, int(most_links(layer.offsets, self.beam, self.fresh, reached)))
        found = self._space(quota + 1)
        expand(
            *(layer.offsets, layer.values, self.beam, self.fresh, reached),
            *(left, quota, self.room, self.visited, found, self.counts),
        )
        return self._score(found, width)

    def widen(self) -> bool:
        """Score more items for the requests with fewer than k answers, in the order of the nodes: where the graph leads
        no further. False where none has both too few and items left."""
        self._collect()
        wanting = (self.top.counts < self.top.k) & (self.work < len(self.graph))
        if not wanting.any():
            return False
        wanted = np.where(wanting, max(WIDEN, self.top.k), 0)
        found = self._space(min(int(wanted.max()), len(self.graph)))
        unvisited(len(self.graph), self.visited, wanted, found, self.counts)
        return self._score(found, self.beam.shape[1])

    def answer(self) -> Answer:
        """The best k of all that was scored; work: the items scored."""
        self._collect()
        ids, scores = self.top.answer()
        return Answer(ids, scores, self.work.astype(np.int32))

    def _collect(self) -> None:
        """Bring what was scored since the last time into the best k: late, since the beams bound what can be there."""
        self.top.expect(self.beam, self.beam_scores, self.beam_counts)
        for nodes, scores, counts in self.scored:
            self.top.add(nodes, scores, counts)
        self.scored.clear()

    def _space(self, columns: int) -> NDArray[np.int32]:
        """A buffer of node numbers int32 [B, columns or more]."""
        if columns > self.found.shape[1]:
            self.found = np.zeros((len(self.work), columns), np.int32)
        return self.found

    def _score(self, found: NDArray[np.int32], width: int) -> bool:
        most = int(self.counts.max(initial=0))
        if most:
            self._keep(found, self.scorer.pairs(found[:, :most], self.counts), width)
        return most > 0

    def _keep(self, found: NDArray[np.int32], scores: NDArray[np.float32], width: int) -> None:
        self.work += self.counts
        self.scored.append((found[:, : scores.shape[1]].copy(), scores.copy(), self.counts.copy()))
        merge(
            *(found, scores, self.counts, width, self.top.k),
            *(self.beam, self.beam_scores, self.fresh, self.beam_counts, self.improved),
        )
