"""Beam search down a tree: from level to level, what lies below the best nodes of the one above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.scoring import Scorer, in_threads
from bench_index.topk import TopK
from bench_tree.descent import OWN, RULES, Leaves, Levels, descend

SURE = 3.0


def beam_search(
    tree: Levels,
    items: NDArray[np.int32],
    scorer: Scorer,
    beam: int,
    k: int,
    exclude: Ragged,
    threads: int = 1,
    rule: str = "own",
    taper: float = 1.0,
    start: int = 1,
    share: float = 1.0,
    stride: int = 1,
) -> Answer:
    """The k best leaves among those below the best nodes of each level, for each of the scorer's B requests.

    items int32 [N]: the answer of each leaf, negative for none; scorer: a bench_index Scorer over node numbers; beam,
    taper: see `widths`. rule: what orders nodes: "own", the score itself (TDM, OTM); "sigmoid", the sum of log
    sigmoid(score) along the path (probabilistic label trees); "softmax", of log softmax over siblings (hierarchical
    softmax). The search begins by scoring the whole first level, from level `start` on, that is wider than its beam; by
    the two other rules it needs the scores of the (fewer) nodes above, too. By "own", leaves that may not be answered
    are not scored. share: of the leaves that have an answer. stride: by "own", only every so many levels, counted from
    the leaves up, are scored: of a binary tree a beam scores as many nodes of every second level as of each, and loses
    none between. A request that has fewer than k answers all the same searches again, each time four times as wide,
    until it has them or has seen every leaf. Work counts nodes scored.
    """
    if stride > 1 and rule != "own":
        raise ValueError(f"rule {rule!r} takes the scores of every level, not of every {stride} levels")

    def run(scorer: Scorer, begin: int, end: int) -> Answer:
        return search.full(scorer, exclude[begin:end])

    search = _Search(tree, items, beam, k, RULES[rule], taper, start, share, stride)
    return in_threads(scorer, len(exclude), threads, run)


def inner_levels(tree: Levels, start: int, stride: int) -> NDArray[np.int64]:
    """The levels above the leaves that a search may score, from `start` on, each `stride` above the next."""
    return np.arange(tree.height - (tree.height - start) // stride * stride, tree.height, stride)


def widths(
    tree: Levels,
    levels: NDArray[np.int64],
    beam: int,
    k: int,
    excluded: NDArray[np.int64],
    taper: float,
    share: float = 1.0,
) -> NDArray[np.int64]:
    """How many nodes of each of L levels a search keeps, int64 [L, B].

    `beam` of the lowest, and of each one higher `taper` times as many, but at least a tenth (the fewer leaves lie
    below, the more nodes are worth looking at). More where fewer than k answers would be left below the kept nodes:
    excluded int64 [B] items are barred, `share` of the leaves has an answer, and nodes drawn by chance would have
    enough below them but for SURE standard deviations. Of the lowest the search itself keeps as many more as it takes
    (`descend`).
    """
    above = np.arange(len(levels) - 1, -1, -1)[:, None]  # levels scored between each and the lowest
    kept = np.maximum(np.ceil(beam * taper**above).astype(np.int64), -(-beam // 10))
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
    beam: int
    k: int
    rule: int
    taper: float
    start: int
    share: float
    stride: int

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
        levels = inner_levels(tree, self.start, self.stride)
        how = self.taper, max(self.share, 1e-6)
        kept = times * widths(tree, levels, self.beam, self.k, exclude.lengths, *how)
        none = np.zeros(1, np.int64)  # excluded: where a request's search begins does not depend on the others'
        first = beginning(tree, levels, times * widths(tree, levels, self.beam, self.k, none, *how))
        levels, kept = levels[first:], kept[first:]
        leaves = Leaves.of(self.items, exclude, self.k)
        for level in descend(tree, scorer, levels.tolist(), kept, self.rule, leaves):
            nodes, scores, counts = level
            work += counts
        if self.rule != OWN:
            work += int(tree.begins[levels[0] if len(levels) else -2]) - 1  # those above the first, without the root
        top = TopK(self.items, self.k, exclude)
        top.add(nodes - np.int32(tree.begins[-2]), scores, counts)
        ids, best = top.answer()
        above = kept[:-1].min(1, initial=np.iinfo(np.int64).max)
        whole = bool((above >= np.diff(tree.begins)[levels[:-1]]).all())
        return Answer(ids, best, work.astype(np.int32)), whole
