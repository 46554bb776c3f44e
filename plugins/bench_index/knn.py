"""Nearest neighbours (L2) by blocked matrix products: exact, or within the nearest cells and then refined."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from bench_index.locality import cuts
from bench_index.parallel import in_parts

CELL = 1024  # vectors a cell at most: the sides of one matrix product
NODES_AT_ONCE = 2048  # nodes a task of the other kernels


def neighbours(
    vectors: NDArray[np.float32], k: int, *, probes: int = 0, threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest other vectors of each, nearest first: numbers int32 and squared distances float32 [N, k].

    vectors float32 [N, D] in a locality order. A cell of it is compared with the `probes` cells whose means are nearest
    to its own (itself among them); 0: with all, which is exact. Padded with -1 and infinity.
    """
    size = len(vectors)
    ids, distances = np.full((size, k), -1, np.int32), np.full((size, k), np.inf, np.float32)
    depth = max(0, int(np.ceil(np.log2(max(size, 1) / CELL))))
    bounds = cuts(size, depth)
    if size < 2:
        return ids, distances
    norms = np.einsum("nd,nd->n", vectors, vectors)
    means = np.add.reduceat(vectors, bounds[:-1], axis=0) / np.diff(bounds)[:, None].astype(np.float32)
    away = np.einsum("cd,cd->c", means, means) - 2 * (means @ means.T)  # (cells, cells), but for a row's constant
    np.fill_diagonal(away, -np.inf)
    near = np.argsort(away, axis=1, kind="stable")[:, : probes or None]

    def work(lo: int, hi: int) -> None:
        for cell in range(lo, hi):
            rows = slice(bounds[cell], bounds[cell + 1])
            for other in near[cell]:
                start, stop = bounds[other], bounds[other + 1]
                products = vectors[rows] @ vectors[start:stop].T
                _keep(products, norms[rows], norms[start:stop], start, rows.start, ids[rows], distances[rows])

    in_parts(len(near), 1, threads, work)
    return ids, distances


def nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int, *, threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of vectors float32 [N, D] to each of queries float32 [B, D], exactly: int32 and float32 [B, k]."""
    ids, distances = np.full((len(queries), k), -1, np.int32), np.full((len(queries), k), np.inf, np.float32)
    norms, own = (np.einsum("nd,nd->n", rows, rows) for rows in (vectors, queries))

    def work(lo: int, hi: int) -> None:
        for start in range(0, len(vectors), CELL):
            products = queries[lo:hi] @ vectors[start : start + CELL].T
            _keep(products, own[lo:hi], norms[start : start + CELL], start, -hi, ids[lo:hi], distances[lo:hi])

    in_parts(len(queries), CELL, threads, work)
    return ids, distances


def refined(
    vectors: NDArray[np.float32],
    ids: NDArray[np.int32],
    distances: NDArray[np.float32],
    *,
    width: int,
    threads: int = 1,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """`neighbours` bettered by one round of NN-descent (Dong et al., WWW 2011): the `width` nearest neighbours of each
    of a node's `width` nearest are looked at. ids int32, distances float32 [N, k], as given and as answered.
    """
    new_ids, new_distances = ids.copy(), distances.copy()

    def work(lo: int, hi: int) -> None:
        _descend(lo, hi, vectors, ids, min(width, ids.shape[1]), new_ids, new_distances)

    in_parts(len(vectors), 8 * NODES_AT_ONCE, threads, work)
    return new_ids, new_distances


@numba.njit(cache=True, nogil=True, inline="always")
def _put(ids, distances, node, distance):  # type: ignore[no-untyped-def]
    """Insert into lists that are sorted by distance, dropping the last."""
    at = len(ids) - 1
    while at > 0 and distances[at - 1] > distance:
        ids[at], distances[at] = ids[at - 1], distances[at - 1]
        at -= 1
    ids[at], distances[at] = node, distance


@numba.njit(cache=True, nogil=True)
def _keep(products, row_norms, norms, start, first, ids, distances):  # type: ignore[no-untyped-def]
    """Merge a block of inner products [R, C] into the lists [R, k]; column j is node start + j, row i node first + i,
    which is no neighbour of its own."""
    last = ids.shape[1] - 1
    for row in range(len(products)):
        own, worst = row_norms[row], distances[row, last]
        for column in range(len(norms)):
            distance = own + norms[column] - 2 * products[row, column]
            if distance < worst and start + column != first + row:
                _put(ids[row], distances[row], np.int32(start + column), max(distance, np.float32(0)))
                worst = distances[row, last]


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def _descend(lo, hi, vectors, old, width, ids, distances):  # type: ignore[no-untyped-def]
    size, dim = vectors.shape
    seen, stamp = np.zeros(size, np.uint16), 0
    last = ids.shape[1] - 1
    for node in range(lo, hi):
        stamp += 1
        seen[node] = stamp
        for at in range(ids.shape[1]):
            if ids[node, at] >= 0:
                seen[ids[node, at]] = stamp
        for at in range(width):
            through = old[node, at]
            if through < 0:
                break
            for step in range(width):
                other = old[through, step]
                if other < 0:
                    break
                if seen[other] == stamp:
                    continue
                seen[other] = stamp
                distance = np.float32(0)
                for d in range(dim):
                    distance += (vectors[node, d] - vectors[other, d]) ** 2
                if distance < distances[node, last]:
                    _put(ids[node], distances[node], other, distance)
