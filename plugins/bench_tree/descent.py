"""The way down a tree: which nodes of each level are scored, and what orders them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numba
import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.scoring import Scorer

OWN, SIGMOID, SOFTMAX = 0, 1, 2  # what orders nodes: see bench_tree.search.Beam
RULES = {"own": OWN, "sigmoid": SIGMOID, "softmax": SOFTMAX}


class Levels(Protocol):
    """The nodes of a tree as a search sees them: see bench_tree.tree.Tree."""

    @property
    def height(self) -> int: ...
    @property
    def below(self) -> NDArray[np.float64]: ...
    @property
    def begins(self) -> NDArray[np.int64]: ...
    @property
    def first(self) -> NDArray[np.int32]: ...
    @property
    def parents(self) -> NDArray[np.int32]: ...


def inner_levels(tree: Levels, start: int, stride: int) -> NDArray[np.int64]:
    """The levels above the leaves that a search may score, from `start` on, each `stride` above the next."""
    return np.arange(tree.height - (tree.height - start) // stride * stride, tree.height, stride)


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


def descend(
    tree: Levels, scorer: Scorer, levels: Sequence[int], kept: NDArray[np.int64], rule: int, leaves: Leaves
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int64]]]:
    """What the search scores, level by level: nodes int32 and what orders them float32 [B, C], counts int64 [B].

    levels: the inner ones that are scored, ascending, of the first all nodes; the leaves come last. kept int64 [L, B]:
    nodes kept of each; of the lowest as many more, the best first, as have `leaves.least` leaves below. The first
    counts[b] of a row matter, until the next level.
    """
    path = [*levels, tree.height]
    nodes, scores = _first(tree, scorer, path[0], rule)  # (B, C)
    counts = np.full(kept.shape[1], nodes.shape[1])
    yield nodes, scores, counts
    for wide, (level, below) in zip(kept, pairwise(path), strict=True):
        steps, lowest, sought = below - level, below == tree.height, (leaves.items, leaves.offsets, leaves.barred)
        if lowest and leaves.least:
            wide = _enough(nodes, scores, counts, wide, leaves.least, tree.first, steps, int(tree.begins[-2]), *sought)
        best = np.empty((len(counts), int(wide.max(initial=0))), np.int32)
        best_scores = np.empty(best.shape, np.float32)
        best_counts = _best(nodes, scores, counts, wide, best, best_scores)
        nodes = np.zeros((len(counts), _room(best, best_counts, tree.first, steps)), np.int32)
        origins = np.zeros(nodes.shape, np.int32)
        last = int(tree.begins[-2]) if lowest and rule == OWN else len(tree.parents)
        counts = _children(best, best_counts, tree.first, steps, last, *sought, nodes, origins)
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
def _range(node, first, steps):  # type: ignore[no-untyped-def]
    """The nodes `steps` levels below a node: begin, end."""
    begin, end = node, node + 1
    for _ in range(steps):
        begin, end = first[begin], first[end]
    return begin, end


@numba.njit(cache=True, nogil=True)
def _room(kept, kept_counts, first, steps):  # type: ignore[no-untyped-def]
    """The most nodes `steps` levels below one row's kept nodes."""
    most = 0
    for row in range(len(kept_counts)):
        total = 0
        for place in range(kept_counts[row]):
            begin, end = _range(kept[row, place], first, steps)
            total += end - begin
        most = max(most, total)
    return most


@numba.njit(cache=True, nogil=True)
def _enough(nodes, scores, counts, widths, least, first, steps, leaf, items, offsets, barred):  # type: ignore[no-untyped-def]
    """widths[b], or so many that the best of each row's first counts[b] nodes have `least` leaves worth scoring,
    `steps` levels below."""
    enough = widths.copy()
    for row in range(len(counts)):
        mine = barred[offsets[row] : offsets[row + 1]]
        order = np.argsort(-scores[row, : counts[row]])
        size, found = 0, 0
        while size < counts[row] and (size < widths[row] or found < least):
            begin, end = _range(nodes[row, order[size]], first, steps)
            for child in range(begin, end):
                found += _worth(child, leaf, items, mine)
            size += 1
        enough[row] = max(size, widths[row])
    return enough


@numba.njit(cache=True, nogil=True)
def _children(kept, kept_counts, first, steps, leaf, items, offsets, barred, nodes, origins):  # type: ignore[no-untyped-def]
    """What lies `steps` levels below each row's kept nodes, and the place of theirs among them; how many.

    Of nodes from node number `leaf` on, those without an item and the row's barred ones are left out.
    """
    counts = np.empty(len(kept_counts), np.int64)
    for row in range(len(kept_counts)):
        size = 0
        mine = barred[offsets[row] : offsets[row + 1]]
        for place in range(kept_counts[row]):
            begin, end = _range(kept[row, place], first, steps)
            for child in range(begin, end):
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
