"""The HNSW walk (Malkov and Yashunin, TPAMI 2020, Algorithms 2 and 5), generic in the scorer, for comparison.

It takes one candidate at a time, so it makes as many rounds as it expands candidates, each with a few dozen scores:
what Beam-retrieval was made to avoid. All requests of a batch go in lock-step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.graph import Graph
from bench_index.scoring import Scorer, in_threads
from bench_index.walk import UNBOUNDED, Walk


def classic_search(
    graph: Graph, scorer: Scorer, ef: int, k: int, exclude: Ragged, threads: int = 1, entry: int = 0
) -> Answer:
    """The k best items that the HNSW walk from the node `entry` (of the top layer) finds for each of B requests.

    ef: efSearch; a walk ends when no candidate is left that is not expanded and has fewer than ef better ones. work
    counts what was scored, twice where an upper layer and the bottom meet.
    exclude: as in `beam.search`; a walk may find fewer than k others, and then goes on through the catalog.
    """

    def run(scorer: Scorer, start: int, stop: int) -> Answer:
        return _search(graph, scorer, ef, k, exclude[start:stop], entry)

    return in_threads(scorer, len(exclude), threads, run)


def _search(graph: Graph, scorer: Scorer, ef: int, k: int, exclude: Ragged, entry: int) -> Answer:
    entries = np.full((len(exclude), 1), entry if len(graph) else -1, np.int32)
    above, entries = _greedy(graph, scorer, entries)
    room = np.full(len(exclude), len(graph), np.int64)
    width = max(ef, k)  # as faiss has it: what the ef best leave behind may be answered
    walk = Walk(graph, scorer, k, exclude, width, room)
    walk.score_entries(entries, width)
    while walk.round(0, width, np.ones(len(entries), np.int64), reach=ef):
        pass
    while walk.widen():
        pass
    walk.work += above
    return walk.answer()


def _greedy(graph: Graph, scorer: Scorer, entries: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """From layer to layer to the best neighbour until none is better: items scored (B,) and the last nodes (B, 1)."""
    batch = len(entries)
    room = np.full(batch, UNBOUNDED, np.int64)
    walk = Walk(graph, scorer, 0, Ragged.empty(batch), 1, room)
    if len(graph.layers) > 1:
        walk.score_entries(entries, 1)
        for level in range(len(graph.layers) - 1, 0, -1):
            walk.descend(1)
            while walk.round(level, 1, np.ones(batch, np.int64)):
                pass
        entries = walk.beam
    return walk.work, entries
