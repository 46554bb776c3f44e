"""Layered Beam-retrieval over a graph, generic in the scorer (Chen et al., NANN, CIKM 2022, Algorithm 1).

All requests of a batch go in lock-step: a round expands each request's beam (compiled bitmap operations), scores what
it found in one call of the scorer, and keeps each request's best. Nothing loops over items or requests in Python.

The paper's algorithm with these additions. The answer is taken from everything that was scored, not from the last beam
alone, so a beam may be narrower than k. `Effort.limit` bounds the items scored a request. `Effort.quota` makes rounds
of a fixed number of new items in place of the whole beam's neighbours: the best candidates are expanded first, so
fewer items are scored for the same answers, and all requests have equally many, so their scoring is one dense product.
`Effort.patience` stops a request on its own once rounds improve nothing. `entries` replaces the scoring of a whole
upper layer by start nodes of the caller's choice, for instance a two-tower model's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.graph import Graph
from bench_index.scoring import Scorer, in_threads
from bench_index.walk import UNBOUNDED, Walk

ROOM = 2.25  # items that may be scored for each that is asked for, whatever the limit


@dataclass(frozen=True, slots=True)
class Effort:
    """How far a search goes. The last entry of widths and rounds is the bottom layer's, the one before the next, ...

    widths: ef, the beam's width on each layer; rounds: T, how often at most the beam is expanded on each layer; limit:
    at most so many items are scored a request, 0 for no limit; quota: so many new items are scored in a layer's first
    round, and `growth` times as many in each round after, until T times ef candidates are expanded; 0: T rounds of the
    whole beam, as in the paper; patience: after so many rounds without a change of its best k a request is done with
    the layer, 0: never.
    The search starts by scoring the whole of the highest layer that `widths` names and that has as many nodes as its
    beam is wide; layers above are ignored.
    """

    widths: tuple[int, ...] = (100, 200, 400)
    rounds: tuple[int, ...] = (1, 1, 3)
    limit: int = 0
    quota: int = 0
    growth: float = 1.5
    patience: int = 0

    def width(self, level: int) -> int:
        return self.widths[max(0, len(self.widths) - 1 - level)]

    def turns(self, level: int) -> int:
        return self.rounds[max(0, len(self.rounds) - 1 - level)]

    def quotas(self, level: int) -> Iterator[int]:
        """The new items of each round on the layer, at most."""
        if not self.quota:
            yield from [UNBOUNDED] * self.turns(level)
            return
        quota = float(self.quota)
        while True:
            yield int(quota)
            quota *= self.growth

    def start(self, graph: Graph) -> int:
        levels = range(min(len(self.widths), len(graph.layers)))
        return max((level for level in levels if len(graph.layers[level]) >= self.width(level)), default=0)


def search(
    graph: Graph,
    scorer: Scorer,
    effort: Effort,
    k: int,
    exclude: Ragged,
    threads: int = 1,
    entries: NDArray[np.int32] | None = None,
) -> Answer:
    """The k best items that Beam-retrieval finds for each of the scorer's B requests; work is the items scored.

    exclude: B rows of catalog ids, sorted, that must not be answered. They are scored and expanded like others, since
    they lead to their neighbours, and whatever the limit, there is room for 2.25 k others: the best k are not found
    among barely more. A request with fewer than k answers goes on through the catalog until it has them or nothing is
    left. entries int32 [B, E]: nodes to begin from on the bottom layer, negative for none, in place of the whole upper
    layer that is scored otherwise. The requests are shared out to `threads`; a single one leaves them to the scorer.
    """

    def run(scorer: Scorer, start: int, stop: int) -> Answer:
        return _search(graph, scorer, effort, k, exclude[start:stop], None if entries is None else entries[start:stop])

    return in_threads(scorer, len(exclude), threads, run)


def _search(
    graph: Graph, scorer: Scorer, effort: Effort, k: int, exclude: Ragged, entries: NDArray[np.int32] | None
) -> Answer:
    room = np.maximum(effort.limit or len(graph), math.ceil(ROOM * k) + exclude.lengths)
    walk = Walk(graph, scorer, k, exclude, max(effort.widths), np.minimum(room, len(graph)))
    if entries is not None:
        start = 0
        walk.score_entries(entries, effort.width(start))
    else:
        start = effort.start(graph)
        walk.score_layer(min(len(graph.layers[start]), effort.limit or len(graph)), effort.width(start))
    for level in range(start, -1, -1):
        _layer(walk, effort, level)
    while walk.widen():
        pass
    return walk.answer()


def _layer(walk: Walk, effort: Effort, level: int) -> None:
    """Expand the beams on one layer, then those new candidates that stayed in them, round after round."""
    width = effort.width(level)
    walk.descend(width)
    left = np.full(len(walk.work), width * effort.turns(level), np.int64)
    idle = np.zeros(len(left), np.int64)  # rounds in a row that changed nothing
    for quota in effort.quotas(level):
        if not walk.round(level, width, left, quota):
            break
        if effort.patience:
            idle = np.where(walk.improved, 0, idle + 1)
            left[idle >= effort.patience] = 0
