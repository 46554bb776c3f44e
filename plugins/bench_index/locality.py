"""An order of the nodes in which near vectors have near numbers, and the levels drawn along it."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench import DataError
from bench_index.parallel import in_parts

LEAF = 16  # vectors that are left in the order in which the last cut put them
SAMPLE = 256  # vectors that decide a cut
TURNS = 4  # rounds of 2-means on them


def locality_order(vectors: NDArray[np.float32], threads: int = 1) -> NDArray[np.int64]:
    """The numbers int64 [N] of vectors float32 [N, D] in an order that keeps near ones together.

    The whole is cut into halves of equal size, across the line between the centres of its 2-means, and each half again
    until LEAF are left. So `cuts(N, depth)` of the order are 2^depth cells of equal size, each a region of space.
    Raises DataError where a vector is not finite: nothing is near it.
    """
    wrong = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", vectors, vectors)))
    if len(wrong):
        raise DataError(f"{len(wrong)} item vectors are not finite, the first is row {wrong[0]}: did training diverge?")
    order, keys = np.arange(len(vectors)), np.empty(len(vectors), np.float32)
    depth = 0
    while len(vectors) >> depth > LEAF:
        now = depth

        def work(lo: int, hi: int, depth: int = now) -> None:
            _halve(lo, hi, cuts(len(vectors), depth), vectors, order, keys)

        in_parts(1 << depth, max(1, (1 << depth) >> 6), threads, work)
        depth += 1
    return order


def cuts(size: int, depth: int) -> NDArray[np.int64]:
    """The bounds int64 [2^depth + 1] of the cells of an order of `size` after `depth` halvings."""
    return (np.arange((1 << depth) + 1) * size) >> depth


def drawn_levels(size: int, links: int, seed: int) -> NDArray[np.int64]:
    """The highest layer int64 [size] of each node of a locality order: one node in `links` reaches each next layer.

    As in HNSW (its level multiplier 1 / ln M), but one node is drawn from every run of `links` neighbours in the order,
    so that every layer covers the whole space evenly.
    """
    rng, levels, nodes = np.random.default_rng(seed), np.zeros(size, np.int64), np.arange(size)
    while len(nodes) > links:
        begins = np.arange(0, len(nodes), links)
        lengths = np.diff(np.append(begins, len(nodes)))
        nodes = nodes[begins + rng.integers(lengths)]
        levels[nodes] += 1
    return levels


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _halve(lo, hi, bounds, vectors, order, keys):  # type: ignore[no-untyped-def]
    """Sort the nodes of each of the cells lo .. hi - 1 along the line between the centres of its 2-means."""
    dim = vectors.shape[1]
    for cell in range(lo, hi):
        start, stop = bounds[cell], bounds[cell + 1]
        size = min(SAMPLE, stop - start)
        sample = np.empty((size, dim), np.float32)
        for at in range(size):
            sample[at] = vectors[order[start + at * (stop - start) // size]]
        centres = np.empty((2, dim), np.float32)
        for d in range(dim):  # the first centre is farthest from the mean, the second farthest from the first
            centres[0, d] = sample[:, d].mean()
        for side in range(2):
            far, most = 0, np.float32(-1)
            for at in range(size):
                away = np.float32(0)
                for d in range(dim):
                    away += (sample[at, d] - centres[0, d]) ** 2
                if away > most:
                    far, most = at, away
            centres[side] = sample[far]
        for _ in range(TURNS):
            sums, counts = np.zeros((2, dim), np.float32), np.zeros(2, np.int64)
            for at in range(size):
                lean = np.float32(0)
                for d in range(dim):
                    lean += (sample[at, d] - centres[0, d]) ** 2 - (sample[at, d] - centres[1, d]) ** 2
                side = 1 if lean > 0 else 0
                counts[side] += 1
                for d in range(dim):
                    sums[side, d] += sample[at, d]
            for side in range(2):
                if counts[side]:
                    centres[side] = sums[side] / np.float32(counts[side])
        line = centres[1] - centres[0]
        for at in range(start, stop):
            key = np.float32(0)
            row = vectors[order[at]]
            for d in range(dim):
                key += row[d] * line[d]
            keys[at] = key
        order[start:stop] = order[start:stop][np.argsort(keys[start:stop], kind="mergesort")]
