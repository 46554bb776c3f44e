"""Beam search down a tree: level by level, the children of the best nodes of the level above."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench import Answer, Ragged
from bench_index.scoring import Scorer, in_threads
from bench_index.topk import TopK
from bench_tree.tree import Tree

OWN, SIGMOID, SOFTMAX = 0, 1, 2  # what orders nodes: see `beam_search`
RULES = {"own": OWN, "sigmoid": SIGMOID, "softmax": SOFTMAX}


def beam_search(
    tree: Tree,
    items: NDArray[np.int32],
    scorer: Scorer,
    beam: int,
    k: int,
    exclude: Ragged,
    threads: int = 1,
    rule: str = "own",
) -> Answer:
    """The k best leaves among those below the `beam` best nodes of each level, for each of the scorer's B requests.

    items int32 [N]: the answer of each leaf, negative for none; scorer: a bench_index Scorer over node numbers. rule:
    what orders nodes: "own", the score itself (TDM, OTM); "sigmoid", the sum of log sigmoid(score) along the path
    (probabilistic label trees); "softmax", of log softmax over siblings (hierarchical softmax). The beam of a request
    is wider by the items that it excludes. The search begins by scoring the whole first level that is wider than the
    beam; by the two other rules it needs the scores of the (fewer) nodes above, too. Work counts nodes scored.
    """

    def run(scorer: Scorer, start: int, stop: int) -> Answer:
        return _search(tree, items, scorer, beam, k, exclude[start:stop], RULES[rule])

    return in_threads(scorer, len(exclude), threads, run)


def _search(
    tree: Tree, items: NDArray[np.int32], scorer: Scorer, beam: int, k: int, exclude: Ragged, rule: int
) -> Answer:
    widths = beam + exclude.lengths  # (B,)
    sizes = tree.sizes
    wider = np.flatnonzero(sizes > beam)
    start = int(wider[0]) if len(wider) else tree.height
    nodes, scores = _first(tree, scorer, start, rule)  # (B, C)
    counts = np.full(len(exclude), nodes.shape[1])
    work = np.full(len(exclude), sizes[start] if rule == OWN else sizes[1 : start + 1].sum(), np.int64)
    for _ in range(start, tree.height):
        wide = int(widths.max(initial=0))
        kept = np.empty((len(exclude), wide), np.int32)
        kept_scores = np.empty((len(exclude), wide), np.float32)
        kept_counts = _best(nodes, scores, counts, widths, kept, kept_scores)
        most = int(kept_counts.max(initial=0))
        nodes = np.zeros((len(exclude), most * tree.branching), np.int32)
        origins = np.zeros(nodes.shape, np.int32)
        counts = _children(kept, kept_counts, tree.first, nodes, origins)
        scores = scorer.pairs(nodes, counts)
        work += counts
        if rule != OWN:
            scores = np.array(scores[:, : nodes.shape[1]])
            _along(scores, counts, origins, kept_scores, rule)
    top = TopK(items, k, exclude)
    top.add(nodes - np.int32(tree.begins[-2]), scores, counts)
    ids, best = top.answer()
    return Answer(ids, best, work.astype(np.int32))


def _first(tree: Tree, scorer: Scorer, start: int, rule: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
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
def _children(kept, kept_counts, first, nodes, origins):  # type: ignore[no-untyped-def]
    """The children of each row's kept nodes, and the place of their parent among them; how many."""
    counts = np.empty(len(kept_counts), np.int64)
    for row in range(len(kept_counts)):
        size = 0
        for place in range(kept_counts[row]):
            parent = kept[row, place]
            for child in range(first[parent], first[parent + 1]):
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
