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

    vectors float32 [N, D] in a locality order. A vector is compared with the members of the `probes` cells of the order
    whose means are nearest to it; 0: of all, which is exact. Padded with -1 and infinity.
    """
    return near_cells(vectors, vectors, cells(len(vectors)), k, probes=probes, first=0, threads=threads)


def nearest(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], k: int, *, threads: int = 1
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of vectors float32 [N, D] to each of queries float32 [B, D], exactly: int32 and float32 [B, k]."""
    bounds = np.minimum(np.arange(0, len(vectors) + CELL, CELL), len(vectors))
    return near_cells(queries, vectors, bounds, k, threads=threads)


def cells(size: int) -> NDArray[np.int64]:
    """The bounds int64 [C + 1] of the cells of at most CELL vectors into which a locality order is cut."""
    return cuts(size, max(0, int(np.ceil(np.log2(max(size, 1) / CELL)))))


def near_cells(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    bounds: NDArray[np.int64],
    k: int,
    *,
    probes: int = 0,
    first: int | None = None,
    threads: int = 1,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The k nearest of vectors float32 [N, D] to each of queries float32 [B, D]: int32 and float32 [B, k].

    vectors stand in cells with the given bounds; a query is compared with the members of the `probes` cells whose means
    are nearest to it, 0: of all. Quickest where queries near one another stand together. first: where the queries are
    themselves vectors, the number of the first; they are not their own neighbours.
    """
    ids, distances = np.full((len(queries), k), -1, np.int32), np.full((len(queries), k), np.inf, np.float32)
    bounds = np.unique(bounds)  # no empty cells
    if not len(queries) or not len(vectors):
        return ids, distances
    starts, stops = bounds[:-1], bounds[1:]
    means = np.add.reduceat(vectors, starts, axis=0) / (stops - starts)[:, None].astype(np.float32)
    own, norms, centres = (np.einsum("nd,nd->n", rows, rows) for rows in (queries, vectors, means))
    probes = min(probes or len(means), len(means))
    shift = -len(queries) - 1 if first is None else first  # the number of the first query as a vector

    def work(lo: int, hi: int) -> None:
        some, everyone = queries[lo:hi], np.arange(hi - lo)
        wanted, away = np.empty((hi - lo, probes), np.int32), np.full((hi - lo, probes), np.inf, np.float32)
        _keep(some @ means.T, everyone, own[lo:hi], centres, 0, -hi, wanted, away)
        rows, wanted = np.repeat(everyone, probes), wanted.ravel()
        order = np.argsort(wanted, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(wanted, minlength=len(means)))])
        for cell in np.argsort(-np.diff(ends), kind="stable"):  # the one that most are in first: bounds the others
            asking = rows[order[ends[cell] : ends[cell + 1]]]
            if not len(asking):
                break
            members = slice(starts[cell], stops[cell])
            products = some[asking] @ vectors[members].T
            _keep(
                *(products, asking, own[lo:hi], norms[members], starts[cell], shift + lo),
                *(ids[lo:hi], distances[lo:hi]),
            )

    in_parts(len(queries), CELL, threads, work)
    return ids, distances


def refine(
    vectors: NDArray[np.float32],
    ids: NDArray[np.int32],
    distances: NDArray[np.float32],
    *,
    width: int,
    threads: int = 1,
) -> NDArray[np.int32]:
    """`neighbours` bettered by one round of NN-descent (Dong et al., WWW 2011): the `width` nearest neighbours of each
    of a node's `width` nearest are looked at. ids int32 [N, k] as given and as answered; distances float32 [N, k] are
    written over with those of the answer.
    """
    new = ids.copy()

    def work(lo: int, hi: int) -> None:
        _descend(lo, hi, vectors, ids, min(width, ids.shape[1]), new, distances)

    in_parts(len(vectors), 8 * NODES_AT_ONCE, threads, work)
    return new


@numba.njit(cache=True, nogil=True, inline="always")
def _put(ids, distances, node, distance):  # type: ignore[no-untyped-def]
    """Insert into lists that are sorted by distance, dropping the last."""
    at = len(ids) - 1
    while at > 0 and distances[at - 1] > distance:
        ids[at], distances[at] = ids[at - 1], distances[at - 1]
        at -= 1
    ids[at], distances[at] = node, distance


@numba.njit(cache=True, nogil=True)
def _keep(products, rows, row_norms, norms, start, first, ids, distances):  # type: ignore[no-untyped-def]
    """Merge a block of inner products [R, C] into the lists `rows` int64 [R] of ids and distances; column j is node
    start + j, list i that of node first + i, which is no neighbour of its own."""
    last = ids.shape[1] - 1
    for at in range(len(rows)):
        row = rows[at]
        own, worst = row_norms[row], distances[row, last]
        for column in range(len(norms)):
            distance = own + norms[column] - 2 * products[at, column]
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
