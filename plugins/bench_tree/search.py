"""Beam search down a tree: level by level, the children of the best nodes of the level above."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.scoring import Scorer, in_threads
from bench_index.topk import TopK

OWN, SIGMOID, SOFTMAX = 0, 1, 2  # what orders nodes: see `beam_search`
SURE = 3.0
RULES = {"own": OWN, "sigmoid": SIGMOID, "softmax": SOFTMAX}


class Levels(Protocol):
    """The nodes of a tree as a search sees them: see bench_tree.tree.Tree. widest: children of a node at most."""

    @property
    def height(self) -> int: ...
    @property
    def widest(self) -> int: ...
    @property
    def below(self) -> NDArray[np.float64]: ...
    @property
    def begins(self) -> NDArray[np.int64]: ...
    @property
    def first(self) -> NDArray[np.int32]: ...
    @property
    def parents(self) -> NDArray[np.int32]: ...


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
) -> Answer:
    """The k best leaves among those below the best nodes of each level, for each of the scorer's B requests.

    items int32 [N]: the answer of each leaf, negative for none; scorer: a bench_index Scorer over node numbers; beam,
    taper: see `widths`. rule: what orders nodes: "own", the score itself (TDM, OTM); "sigmoid", the sum of log
    sigmoid(score) along the path (probabilistic label trees); "softmax", of log softmax over siblings (hierarchical
    softmax). The search begins by scoring the whole first level, from level `start` on, that is wider than its beam; by
    the two other rules it needs the scores of the (fewer) nodes above, too. By "own", leaves that may not be answered
    are not scored. share: of the leaves that have an answer. A request that has fewer than k answers all the same
    searches again, each time four times as wide, until it has them or has seen every leaf. Work counts nodes scored.
    """

    def run(scorer: Scorer, begin: int, end: int) -> Answer:
        return search.full(scorer, exclude[begin:end])

    search = _Search(tree, items, beam, k, RULES[rule], taper, start, share)
    return in_threads(scorer, len(exclude), threads, run)


def widths(
    tree: Levels, beam: int, k: int, excluded: NDArray[np.int64], taper: float, share: float = 1.0
) -> NDArray[np.int64]:
    """How many nodes of each level a search keeps, int64 [height, B].

    `beam` of the level above the leaves, and of each level higher `taper` times as many, but at least a tenth (the
    fewer leaves lie below, the more nodes are worth looking at). More where fewer than k answers would be left below
    the kept nodes: excluded int64 [B] items are barred, `share` of the leaves has an answer, and nodes drawn by chance
    would have enough below them but for SURE standard deviations. Of the level above the leaves the search itself keeps
    as many more as it takes (`descend`).
    """
    above = np.arange(tree.height - 1, -1, -1)[:, None]  # levels between each and the one above the leaves
    kept = np.maximum(np.ceil(beam * taper**above).astype(np.int64), -(-beam // 10))
    mean, spread = tree.below[:, :, None]  # (height, 1)
    spread = np.sqrt((share * spread) ** 2 + mean * share * (1 - share)) / (share * mean)
    nodes = (k + excluded) / (share * mean)  # (height, B)
    needed = np.ceil(np.minimum(nodes + SURE * spread * np.sqrt(nodes), (k + excluded) / share)).astype(np.int64)
    needed[-1] = 0
    return np.minimum(np.maximum(kept, needed), np.diff(tree.begins)[:-1, None])


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
        above the lowest inner nodes, of which it takes what it needs."""
        tree, work = self.tree, np.zeros(len(exclude), np.int64)
        share = max(self.share, 1e-6)
        kept = times * widths(tree, self.beam, self.k, exclude.lengths, self.taper, share)
        none = np.zeros(1, np.int64)  # excluded: where a request's search begins does not depend on the others'
        start = first_level(tree, times * widths(tree, self.beam, self.k, none, self.taper, share), self.start)
        for level in descend(tree, scorer, kept, self.rule, Leaves.of(self.items, exclude, self.k), start):
            nodes, scores, counts = level
            work += counts
        if self.rule != OWN:
            work += int(tree.begins[start]) - 1  # the levels above the first, without the root
        top = TopK(self.items, self.k, exclude)
        top.add(nodes - np.int32(tree.begins[-2]), scores, counts)
        ids, best = top.answer()
        above = kept[start:-1].min(1, initial=np.iinfo(np.int64).max)
        whole = bool((above >= np.diff(tree.begins)[start:-2]).all())
        return Answer(ids, best, work.astype(np.int32)), whole


@dataclass(frozen=True, slots=True)
class Leaves:
    """Which leaves are worth scoring: items int32 [N], the answer of each or negative; offsets int64 [B + 1] and barred
    int32, the sorted ids that each request excludes; least: so many a request at least, if there are."""

    items: NDArray[np.int32]
    offsets: NDArray[np.int64]
    barred: NDArray[np.int32]
    least: int

    @classmethod
    def of(cls, items: NDArray[np.int32], exclude: Ragged, least: int) -> Leaves:
        """Those that `exclude`, sorted rows, leaves."""
        return cls(items, exclude.offsets, np.ascontiguousarray(exclude.values, np.int32), least)

    @classmethod
    def all(cls, tree: Levels, batch: int) -> Leaves:
        """All of them, for `batch` requests."""
        leaves = int(tree.begins[-1] - tree.begins[-2])
        return cls(np.zeros(leaves, np.int32), np.zeros(batch + 1, np.int64), np.zeros(0, np.int32), 0)


def first_level(tree: Levels, kept: NDArray[np.int64], start: int) -> int:
    """The first level from `start` on that is wider than what is kept of it, the leaves' where none is."""
    wider = np.flatnonzero(np.diff(tree.begins)[start:-1] > kept[start:].max(1, initial=1))
    return start + int(wider[0]) if len(wider) else tree.height


def descend(
    tree: Levels, scorer: Scorer, kept: NDArray[np.int64], rule: int, leaves: Leaves, start: int
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]]:
    """What the search scores, level by level: nodes int32 and what orders them float32 [B, C], counts int64 [B].

    It begins with all nodes of level `start`. kept int64 [height, B]: nodes kept of each level; of the one above the
    leaves as many more, the best first, as have `leaves.least` leaves below. The first counts[b] of a row matter, until
    the next level.
    """
    nodes, scores = _first(tree, scorer, start, rule)  # (B, C)
    counts = np.full(kept.shape[1], nodes.shape[1])
    yield nodes, scores, counts
    for level in range(start, tree.height):
        wide, sought = kept[level], (leaves.items, leaves.offsets, leaves.barred)
        if level == tree.height - 1 and leaves.least:
            wide = _enough(nodes, scores, counts, wide, leaves.least, tree.first, int(tree.begins[-2]), *sought)
        best = np.empty((len(counts), int(wide.max(initial=0))), np.int32)
        best_scores = np.empty(best.shape, np.float32)
        best_counts = _best(nodes, scores, counts, wide, best, best_scores)
        nodes = np.zeros((len(counts), int(best_counts.max(initial=0)) * tree.widest), np.int32)
        origins = np.zeros(nodes.shape, np.int32)
        last = int(tree.begins[-2]) if level == tree.height - 1 and rule == OWN else len(tree.parents)
        counts = _children(best, best_counts, tree.first, last, *sought, nodes, origins)
        nodes, origins = (part[:, : int(counts.max(initial=0))] for part in (nodes, origins))
        scores = scorer.pairs(np.ascontiguousarray(nodes), counts)[:, : nodes.shape[1]]
        if rule != OWN:
            scores = scores.copy()
            _along(scores, counts, origins, best_scores, rule)
        yield nodes, scores, counts


def descend_all(tree: Levels, scorer: Scorer, rule: str) -> NDArray[np.float32]:
    """What orders the leaves, float32 [B, leaves], exactly: every node is scored."""
    return _first(tree, scorer, tree.height, RULES[rule])[1]


def _first(tree: Levels, scorer: Scorer, start: int, rule: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """All nodes of level `start` and what orders them, int32 and float32 [B, C]."""
    above: NDArray[np.float32] | None = None
    for level in range(start if rule == OWN else 1, start + 1):
        begin, end = int(tree.begins[level]), int(tree.begins[level + 1])
        scores = scorer.block(begin, end)
        nodes = np.broadcast_to(np.arange(begin, end, dtype=np.int32), scores.shape)
        if rule != OWN:
            origins = np.broadcast_to(tree.parents[begin:end] - np.int32(tree.begins[level - 1]), scores.shape)
            before = np.zeros((len(scores), 1), np.float32) if above is None else above
            _along(scores, np.full(len(scores), end - begin), origins, before, rule)
            above = scores
    return nodes, scores


@numba.njit(cache=True, nogil=True)
def _best(nodes, scores, counts, widths, kept, kept_scores):  # type: ignore[no-untyped-def]
    """Keep the widths[b] best of each row's first counts[b] nodes, in the order in which they stand; how many."""
    sizes = np.empty(len(counts), np.int64)
    for row in range(len(counts)):
        count, width = counts[row], min(counts[row], widths[row])
        left = width
        bound = -np.inf
        if width < count:
            bound = np.partition(scores[row, :count], count - width)[count - width]
            for at in range(count):
                left -= scores[row, at] > bound  # `left` of those that are equal to the bound
        size = 0
        for at in range(count):
            score = scores[row, at]
            equal = width < count and score == bound
            if score > bound or width == count or (equal and left > 0):
                left -= equal
                kept[row, size], kept_scores[row, size] = nodes[row, at], score
                size += 1
        sizes[row] = size
    return sizes


@numba.njit(cache=True, nogil=True)
def _worth(child, leaf, items, mine):  # type: ignore[no-untyped-def]
    """Whether the leaf has an item that is not among the sorted ids `mine`."""
    item = items[child - leaf]
    at = np.searchsorted(mine, item)
    return item >= 0 and not (at < len(mine) and mine[at] == item)


@numba.njit(cache=True, nogil=True)
def _enough(nodes, scores, counts, widths, least, first, leaf, items, offsets, barred):  # type: ignore[no-untyped-def]
    """widths[b], or so many that the best of each row's first counts[b] nodes have `least` leaves worth scoring."""
    enough = widths.copy()
    for row in range(len(counts)):
        mine = barred[offsets[row] : offsets[row + 1]]
        order = np.argsort(-scores[row, : counts[row]])
        size, found = 0, 0
        while size < counts[row] and (size < widths[row] or found < least):
            parent = nodes[row, order[size]]
            for child in range(first[parent], first[parent + 1]):
                found += _worth(child, leaf, items, mine)
            size += 1
        enough[row] = max(size, widths[row])
    return enough


@numba.njit(cache=True, nogil=True)
def _children(kept, kept_counts, first, leaf, items, offsets, barred, nodes, origins):  # type: ignore[no-untyped-def]
    """The children of each row's kept nodes, and the place of their parent among them; how many.

    Of children from node number `leaf` on, those without an item and the row's barred ones are left out.
    """
    counts = np.empty(len(kept_counts), np.int64)
    for row in range(len(kept_counts)):
        size = 0
        mine = barred[offsets[row] : offsets[row + 1]]
        for place in range(kept_counts[row]):
            parent = kept[row, place]
            for child in range(first[parent], first[parent + 1]):
                if child >= leaf and not _worth(child, leaf, items, mine):
                    continue
                nodes[row, size], origins[row, size] = child, place
                size += 1
        counts[row] = size
    return counts


@numba.njit(cache=True, nogil=True)
def _along(scores, counts, origins, above, rule):  # type: ignore[no-untyped-def]
    """Turn scores into the logarithm of the probability of the path; siblings stand together."""
    for row in range(len(counts)):
        at = 0
        while at < counts[row]:
            end = at + 1
            while end < counts[row] and origins[row, end] == origins[row, at]:
                end += 1
            before = above[row, origins[row, at]]
            if rule == SOFTMAX:
                highest = scores[row, at:end].max()
                total = np.log(np.exp(scores[row, at:end] - highest).sum()) + highest
                scores[row, at:end] += before - total
            else:
                for one in range(at, end):
                    score = scores[row, one]
                    scores[row, one] = before + min(score, np.float32(0)) - np.log1p(np.exp(-abs(score)))
            at = end
