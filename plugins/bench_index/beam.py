"""Layered Beam-retrieval over a graph, generic in the scorer (Chen et al., NANN, CIKM 2022, Algorithm 1).

All requests of a batch go in lock-step: a round expands each request's frontier (compiled bitmap operations), scores
what it found in one call of the scorer, and keeps each request's best. Nothing loops over items or requests in Python.

The paper's algorithm with three additions. The answer is taken from everything that was scored, not from the last beam
alone, so a beam may be narrower than k. `Effort.limit` bounds the items scored a request: a frontier is expanded best
first, and the expansion stops there. `Effort.step` expands only the few best candidates at first and half as many again
each time, which scores about half as many items for the same answers in a few more turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.frontier import Rows, bitmaps, expand, merge, most_links, pick, unvisited
from bench_index.graph import Graph
from bench_index.topk import top_k

ROOM = 2.25  # items that may be scored for each that is asked for, whatever the limit


class Scorer(Protocol):
    """Scores nodes of the graph for a fixed batch of B requests; higher is better."""

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        """The scores of the nodes start .. stop - 1 for every request, float32 [B, stop - start]."""

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores float32 [B, C] of nodes int32 [B, C], of which the first counts int64 [B] of each row matter; the
        others are valid node numbers whose scores are ignored."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How far a search goes. The last entry of widths and rounds is the bottom layer's, the one before the next, ...

    widths: ef, the beam's width on each layer; rounds: T, how often at most the beam is expanded on each layer; limit:
    at most so many items are scored a request, 0 for no limit; step: so many candidates are expanded in a layer's first
    turn and half as many again in each turn after, T times ef in all; 0: T turns of the whole beam, as in the paper.
    The search starts by scoring the whole of the highest layer that `widths` names and that has as many nodes as its
    beam is wide; layers above are ignored.
    """

    widths: tuple[int, ...] = (100, 200, 400)
    rounds: tuple[int, ...] = (1, 1, 3)
    limit: int = 0
    step: int = 0

    def width(self, level: int) -> int:
        return self.widths[max(0, len(self.widths) - 1 - level)]

    def turns(self, level: int) -> Iterator[int]:
        """How many candidates each turn on the layer expands."""
        width = self.width(level)
        step, left = self.step or width, width * self.rounds[max(0, len(self.rounds) - 1 - level)]
        while left > 0:
            yield min(step, left, width)
            left -= min(step, left, width)
            step += step // 2 + (step == 1)

    def start(self, graph: Graph) -> int:
        levels = range(min(len(self.widths), len(graph.layers)))
        return max((level for level in levels if len(graph.layers[level]) >= self.width(level)), default=0)


def search(graph: Graph, scorer: Scorer, effort: Effort, k: int, exclude: Ragged, threads: int = 1) -> Answer:
    """The k best items that Beam-retrieval finds for each of the scorer's B requests; work is the items scored.

    exclude: B rows of catalog ids, sorted, that must not be answered. They are scored and expanded like others, since
    they lead to their neighbours, and whatever the limit, there is room for 2.25 k others: the best k are not found
    among barely more. A request with fewer than k answers goes on through the catalog until it has them or nothing is
    left.
    """
    with Rows(len(exclude), threads) as rows:
        walk = _Walk(graph, scorer, effort, k, exclude, rows)
        start = effort.start(graph)
        walk.begin(start)
        for level in range(start, -1, -1):
            walk.descend(level)
        ids, scores = walk.answer()
        while len(wanting := walk.wanting(ids)):
            walk.widen(wanting)
            ids, scores = walk.answer()
    return Answer(ids, scores, walk.work.astype(np.int32))


class _Walk:
    """The state of one search: visited sets, beams, and all that was scored."""

    def __init__(self, graph: Graph, scorer: Scorer, effort: Effort, k: int, exclude: Ragged, rows: Rows) -> None:
        batch, width = len(exclude), max(effort.widths)
        self.graph, self.scorer, self.effort, self.exclude, self.rows, self.k = graph, scorer, effort, exclude, rows, k
        self.visited = bitmaps(batch, len(graph))  # (B, N / 64)
        limit = np.full(batch, effort.limit or len(graph), np.int64)
        self.room = np.minimum(
            np.maximum(limit, math.ceil(ROOM * k) + exclude.lengths), len(graph)
        )  # (B,) items that may yet be scored
        self.work = np.zeros(batch, np.int64)
        self.beam, self.beam_scores = np.zeros((batch, width), np.int32), np.zeros((batch, width), np.float32)
        self.fresh, self.beam_counts = np.zeros((batch, width), np.bool_), np.zeros(batch, np.int64)
        self.frontier, self.frontier_counts = np.zeros((batch, width), np.int32), np.zeros(batch, np.int64)
        self.pool: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []

    def begin(self, level: int) -> None:
        """Score the whole layer `level` for every request."""
        stop = min(len(self.graph.layers[level]), self.effort.limit or len(self.graph))
        batch = len(self.work)
        nodes = np.broadcast_to(np.arange(stop, dtype=np.int32), (batch, stop))
        self.visited[:, : stop >> 6] = ~np.uint64(0)
        if stop & 63:
            self.visited[:, stop >> 6] = (np.uint64(1) << np.uint64(stop & 63)) - np.uint64(1)
        self.room -= stop
        self._keep(nodes, self.scorer.block(0, stop), np.full(batch, stop, np.int64), level)

    def descend(self, level: int) -> None:
        """Expand the beam on the layer `level`, then those new ones that stayed in it, round after round."""
        self.fresh[:] = True
        np.minimum(self.beam_counts, self.effort.width(level), out=self.beam_counts)
        layer = self.graph.layers[level]
        for step in self.effort.turns(level):
            self.rows(pick, self.beam, self.fresh, self.beam_counts, step, self.frontier, self.frontier_counts)
            bound = int(most_links(layer.offsets, self.frontier, self.frontier_counts))
            bound = min(bound, int(self.room.max(initial=0)))
            if not bound:
                break
            found, counts = np.zeros((len(self.work), bound), np.int32), np.zeros(len(self.work), np.int64)
            self.rows(
                expand,
                *(layer.offsets, layer.values, self.frontier, self.frontier_counts),
                *(self.visited, self.room, found, counts),
            )
            if most := int(counts.max(initial=0)):
                found = np.ascontiguousarray(found[:, :most])
                self._keep(found, self.scorer.pairs(found, counts), counts, level)

    def answer(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """The k best of all that was scored: catalog ids int32 and scores float32 [B, k]."""
        ids = np.concatenate([ids for ids, _ in self.pool], axis=1)
        scores = np.concatenate([scores for _, scores in self.pool], axis=1)
        self.pool = [(ids, scores)]
        return top_k(ids, scores, self.k, self.exclude, self.rows)

    def wanting(self, ids: NDArray[np.int32]) -> NDArray[np.int64]:
        """The rows that have fewer than k answers though unscored items are left."""
        return np.flatnonzero((ids[:, -1] < 0) & (self.work < len(self.graph)) if self.k else np.zeros(len(ids), bool))

    def widen(self, wanting: NDArray[np.int64]) -> None:
        """Score more items for these rows, in the order of the nodes: where the graph leads no further."""
        wanted = np.zeros(len(self.work), np.int64)
        wanted[wanting] = max(4096, self.k)
        bound = min(int(wanted.max()), len(self.graph))
        found, counts = np.zeros((len(self.work), bound), np.int32), np.zeros(len(self.work), np.int64)
        self.rows(unvisited, len(self.graph), self.visited, wanted, found, counts)
        self._keep(found, self.scorer.pairs(found, counts), counts, 0)

    def _keep(
        self, found: NDArray[np.int32], scores: NDArray[np.float32], counts: NDArray[np.int64], level: int
    ) -> None:
        """Note the newly scored nodes [B, C] and merge them into the beams."""
        self.work += counts
        ids = np.where(np.arange(found.shape[1]) < counts[:, None], self.graph.items[found], np.int32(-1))
        self.pool.append((ids, scores))
        self.rows(
            merge,
            *(found, scores, counts, self.effort.width(level)),
            *(self.beam, self.beam_scores, self.fresh, self.beam_counts),
        )
