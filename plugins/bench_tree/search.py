"""Beam search down a tree: from level to level, what lies below the best nodes of the one above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.scoring import Scorer, in_threads
from bench_index.topk import TopK
from bench_tree.descent import OWN, RULES, Leaves, Levels, descend, inner_levels

SURE = 3.0


@dataclass(frozen=True, slots=True)
class Beam:
    """How a search goes down a tree.

    width, taper: see `widths`. rule: what orders nodes: "own", the score itself (TDM, OTM); "sigmoid", the sum of log
    sigmoid(score) along the path (probabilistic label trees); "softmax", of log softmax over siblings (hierarchical
    softmax). start: the highest level that may be scored; the search begins with the whole of the first level from
    there on that is wider than its beam (by the two other rules it needs the scores of the fewer nodes above, too).
    stride: by "own", only every so many levels, counted from the leaves up, are scored; where the tree has no more than
    so many levels, all leaves are. Of a binary tree w nodes have 4 w grandchildren, as many as the search would score
    of both levels, and none is lost between. Raises ValueError for a stride of another rule.
    """

    width: int
    taper: float = 1.0
    rule: str = "own"
    start: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        if self.stride > 1 and self.rule != "own":
            raise ValueError(f"rule {self.rule!r} takes the scores of every level, not of every {self.stride} levels")


def beam_search(
    tree: Levels,
    items: NDArray[np.int32],
    scorer: Scorer,
    beam: Beam,
    k: int,
    exclude: Ragged,
    threads: int = 1,
    share: float = 1.0,
) -> Answer:
    """The k best leaves among those below the best nodes of each level, for each of the scorer's B requests.

    items int32 [N]: the answer of each leaf, negative for none; scorer: a bench_index Scorer over node numbers; share:
    of the leaves that have an answer. By "own", leaves that may not be answered are not scored. A request that has
    fewer than k answers all the same searches again, each time four times as wide, until it has them or has seen every
    leaf. Work counts nodes scored.
    """

    def run(scorer: Scorer, begin: int, end: int) -> Answer:
        return search.full(scorer, exclude[begin:end])

    search = _Search(tree, items, beam, k, share)
    return in_threads(scorer, len(exclude), threads, run)


def widths(
    tree: Levels,
    levels: NDArray[np.int64],
    beam: Beam,
    k: int,
    excluded: NDArray[np.int64],
    share: float = 1.0,
) -> NDArray[np.int64]:
    """How many nodes of each of L levels a search keeps, int64 [L, B].

    `beam.width` of the lowest, and for each level of the tree further up `beam.taper` times as many, but at least a
    tenth (the fewer leaves lie below, the more nodes are worth looking at). More where fewer than k answers would be
    left below the kept nodes: excluded int64 [B] items are barred, `share` of the leaves has an answer, and nodes drawn
    by chance would have enough below them but for SURE standard deviations. Of the lowest the search itself keeps as
    many more as it takes (`descend`).
    """
    above = levels.max(initial=0) - levels[:, None]
    kept = np.maximum(np.ceil(beam.width * beam.taper**above).astype(np.int64), -(-beam.width // 10))
    mean, spread = tree.below[:, levels, None]  # (L, 1)
    spread = np.sqrt((share * spread) ** 2 + mean * share * (1 - share)) / (share * mean)
    nodes = (k + excluded) / (share * mean)  # (L, B)
    needed = np.ceil(np.minimum(nodes + SURE * spread * np.sqrt(nodes), (k + excluded) / share)).astype(np.int64)
    needed[-1:] = 0
    return np.minimum(np.maximum(kept, needed), np.diff(tree.begins)[levels, None])


def beginning(tree: Levels, levels: NDArray[np.int64], kept: NDArray[np.int64]) -> int:
    """The place among `levels` of the first that is wider than what is kept of it, int64 [L, B]; L where none is."""
    wider = np.flatnonzero(np.diff(tree.begins)[levels] > kept.max(1, initial=1))
    return int(wider[0]) if len(wider) else len(levels)


@dataclass(frozen=True, slots=True)
class _Search:
    """What the requests of a batch have in common: see `beam_search`."""

    tree: Levels
    items: NDArray[np.int32]
    beam: Beam
    k: int
    share: float

    def full(self, scorer: Scorer, exclude: Ragged) -> Answer:
        """The answers of the scorer's requests, k each where there are so many."""
        answer, whole = self.once(scorer, exclude, 1)
        ids, scores, work = answer.ids, answer.scores, answer.work
        assert scores is not None and work is not None
        times = 1
        while not whole and (short := np.flatnonzero((ids < 0).any(1))).size:
            times *= 4
            for row in short:
                again, whole = self.once(scorer.part(row, row + 1), exclude[row : row + 1], times)
                assert again.scores is not None and again.work is not None
                ids[row], scores[row], work[row] = again.ids[0], again.scores[0], work[row] + again.work[0]
        return answer

    def once(self, scorer: Scorer, exclude: Ragged, times: int) -> tuple[Answer, bool]:
        """The answers of a search `times` as wide, and whether no wider one would find more: it was as wide as the tree
        above the lowest inner nodes that it scored, of which it takes what it needs."""
        tree, work = self.tree, np.zeros(len(exclude), np.int64)
        levels, rule = inner_levels(tree, self.beam.start, self.beam.stride), RULES[self.beam.rule]
        share = max(self.share, 1e-6)
        kept = times * widths(tree, levels, self.beam, self.k, exclude.lengths, share)
        none = np.zeros(1, np.int64)  # excluded: where a request's search begins does not depend on the others'
        first = beginning(tree, levels, times * widths(tree, levels, self.beam, self.k, none, share))
        levels, kept = levels[first:], kept[first:]
        leaves = Leaves.of(self.items, exclude, self.k)
        for level in descend(tree, scorer, levels.tolist(), kept, rule, leaves):
            nodes, scores, counts = level
            work += counts
        if rule != OWN:
            work += int(tree.begins[levels[0] if len(levels) else -2]) - 1  # those above the first, without the root
        top = TopK(self.items, self.k, exclude)
        top.add(nodes - np.int32(tree.begins[-2]), scores, counts)
        ids, best = top.answer()
        above = kept[:-1].min(1, initial=np.iinfo(np.int64).max)
        whole = bool((above >= np.diff(tree.begins)[levels[:-1]]).all())
        return Answer(ids, best, work.astype(np.int32)), whole
