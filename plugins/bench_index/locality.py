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
FAST = {"reassoc", "contract", "nsz"}


def locality_order(
    vectors: NDArray[np.float32],
    threads: int = 1,
    *,
    leaf: int = LEAF,
    sample: int = SAMPLE,
    turns: int = TURNS,
    even_turns: int = 0,
    starts: int = 1,
    seed: int = 0,
) -> NDArray[np.int64]:
    """The numbers int64 [N] of vectors float32 [N, D] in an order that keeps near ones together.

    The whole is cut into halves of equal size, across the line between the centres of its 2-means, and each half again
    until `leaf` are left. So `cuts(N, depth)` of the order are 2^depth cells of equal size, each a region of space.
    sample: vectors of a cell that decide its cut; turns: of 2-means on them, at most; even_turns: further ones whose
    clusters are the halves themselves, so that the centres are those of what is cut; starts: beginnings that are tried,
    two far vectors and then pairs drawn by `seed` as k-means++ draws them, of which the one stands whose centres end
    farthest apart: between even clusters that is the least variance within. Each wants more time and gives a better
    order; the defaults are for graphs, which want a rough one.
    Raises DataError where a vector is not finite: nothing is near it.
    """
    wrong = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", vectors, vectors)))
    if len(wrong):
        raise DataError(f"{len(wrong)} item vectors are not finite, the first is row {wrong[0]}: did training diverge?")
    order, keys = np.arange(len(vectors)), np.empty(len(vectors), np.float32)
    depth = 0
    while len(vectors) >> depth > leaf:
        bounds, rng = cuts(len(vectors), depth + 1), np.random.default_rng([seed, depth])
        draws = rng.random((1 << depth, starts - 1, 2), np.float32)

        def work(lo: int, hi: int, bounds: NDArray[np.int64] = bounds, draws: NDArray[np.float32] = draws) -> None:
            _halve(lo, hi, bounds, vectors, order, keys, sample, turns, even_turns, draws)

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


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _halve(lo, hi, bounds, vectors, order, keys, most, turns, even_turns, draws):  # type: ignore[no-untyped-def]
    """Sort the nodes of each of the cells lo .. hi - 1 along the line between the centres of its 2-means; the cell's
    bounds are 2 cell and 2 cell + 2, its middle lies between."""
    dim = vectors.shape[1]
    for cell in range(lo, hi):
        start, middle, stop = bounds[2 * cell], bounds[2 * cell + 1], bounds[2 * cell + 2]
        size = min(most, stop - start)
        sample = np.empty((size, dim), np.float32)
        for at in range(size):
            sample[at] = vectors[order[start + at * (stop - start) // size]]
        half = (middle - start) * size // (stop - start)
        line = _line(sample, half, turns, even_turns, draws[cell])
        for at in range(start, stop):
            key = np.float32(0)
            row = vectors[order[at]]
            for d in range(dim):
                key += row[d] * line[d]
            keys[at] = key
        order[start:stop] = order[start:stop][np.argsort(keys[start:stop], kind="mergesort")]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _line(sample, half, turns, even_turns, draws):  # type: ignore[no-untyped-def]
    """From one centre to the other, float32 [D], of the best of the 2-means from each start."""
    size, dim = sample.shape
    best, line = np.float32(-1), np.zeros(dim, np.float32)
    centres, leans, sides = np.empty((2, dim), np.float32), np.empty(size, np.float32), np.empty(size, np.int8)
    for start in range(len(draws) + 1):
        if start == 0:
            _far_centres(sample, centres)
        else:
            _drawn_centres(sample, draws[start - 1], leans, centres)
        sides[:] = -1
        for even in range(2):
            for _ in range(even_turns if even else turns):
                if not _turn(sample, half if even else -1, centres, leans, sides):
                    break
        apart = np.float32(0)
        for d in range(dim):
            apart += (centres[1, d] - centres[0, d]) ** 2
        if apart > best:
            best, line = apart, centres[1] - centres[0]
    return line


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _far_centres(sample, centres):  # type: ignore[no-untyped-def]
    """The first centre is farthest from the mean, the second farthest from the first."""
    size, dim = sample.shape
    for d in range(dim):
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


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _drawn_centres(sample, draws, aways, centres):  # type: ignore[no-untyped-def]
    """The first centre is any vector, the second one with a chance as its squared distance (k-means++)."""
    size, dim = sample.shape
    centres[0] = sample[min(int(draws[0] * size), size - 1)]
    total = np.float64(0)
    for at in range(size):
        away = np.float32(0)
        for d in range(dim):
            away += (sample[at, d] - centres[0, d]) ** 2
        aways[at] = away
        total += away
    left, at = draws[1] * total, 0
    while at < size - 1 and left >= aways[at]:
        left -= aways[at]
        at += 1
    centres[1] = sample[at]


@numba.njit(cache=True, nogil=True, fastmath=FAST)
def _turn(sample, half, centres, leans, sides):  # type: ignore[no-untyped-def]
    """Each vector to its nearer centre, or the `half` that lean to the first most to that one, if half is not negative;
    then each centre to the mean of its vectors. False where that leaves all as they were."""
    size, dim = sample.shape
    for at in range(size):
        lean = np.float32(0)
        for d in range(dim):
            lean += (sample[at, d] - centres[0, d]) ** 2 - (sample[at, d] - centres[1, d]) ** 2
        leans[at] = lean
    bound, ties = np.float32(0), size
    if half >= 0:
        bound = np.partition(leans, half)[half]
        ties = half
        for at in range(size):
            ties -= leans[at] < bound
    sums, counts, moved = np.zeros((2, dim), np.float32), np.zeros(2, np.int64), False
    for at in range(size):
        side = 1 if leans[at] > bound else 0
        if leans[at] == bound:
            side = 0 if ties > 0 else 1
            ties -= 1
        moved |= sides[at] != side
        sides[at] = side
        counts[side] += 1
        for d in range(dim):
            sums[side, d] += sample[at, d]
    for side in range(2):
        if counts[side]:
            centres[side] = sums[side] / np.float32(counts[side])
    return moved
