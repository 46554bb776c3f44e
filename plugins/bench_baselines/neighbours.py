"""The most similar items of each item, by cosine, in bounded memory."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from bench import Context, Ragged

PAIRS_PER_BLOCK = 4_000_000

Neighbours = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]


def nearest_neighbours(by_user: Ragged, size: int, keep: int, shrink: float, context: Context) -> Neighbours:
    """For each item i, the items that count i among their `keep` most similar ones: offsets, ids, similarities (CSR).

    by_user: items of each user, repeats count once; size: items. The similarity of i and j is
    |U_i & U_j| / (sqrt(|U_i| |U_j|) + shrink), U_i the users of item i. Equal similarities keep the smaller id. Works
    through blocks of items with at most PAIRS_PER_BLOCK pairs in all (or one item), never the square of the items.
    """
    users = _binary(by_user, size)  # (U, n)
    items = users.T.tocsr()  # (n, U)
    degree = np.diff(items.indptr)
    # the users of an item have this many items between them: no more can be its neighbours
    reach = np.minimum(items @ np.diff(users.indptr).astype(np.int64), size)
    targets, sources, similarities = [], [], []
    for start, stop in _blocks(reach):
        row, column, together = _pairs(items[start:stop] @ users)
        similarity = together / (np.sqrt(degree[row + start] * degree[column].astype(np.float64)) + shrink)
        similarity[row + start == column] = 0
        kept = _largest(row, similarity.astype(np.float32), stop - start, keep)
        targets.append(row[kept] + start)
        sources.append(column[kept])
        similarities.append(similarity[kept].astype(np.float32))
        context.progress(stop, size, f"neighbours of {stop:,} of {size:,} items")
    source = np.concatenate([np.zeros(0, np.int64), *sources])
    order = np.argsort(source, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=size))])
    target = np.concatenate([np.zeros(0, np.int64), *targets])[order].astype(np.int32)
    return offsets, target, np.concatenate([np.zeros(0, np.float32), *similarities])[order]


def _binary(by_user: Ragged, size: int) -> sparse.csr_array:
    keys = np.unique(by_user.rows() * size + by_user.values)
    row, column = np.divmod(keys, size)
    offsets = np.searchsorted(row, np.arange(len(by_user) + 1))
    return sparse.csr_array((np.ones(len(keys), np.int32), column, offsets), shape=(len(by_user), size))


def _blocks(reach: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Ranges of items with at most PAIRS_PER_BLOCK pairs each, or of one item."""
    block = np.cumsum(reach) // PAIRS_PER_BLOCK
    edges = np.concatenate([[0], np.flatnonzero(np.diff(block)) + 1, [len(reach)]])
    return [(start, stop) for start, stop in itertools.pairwise(edges.tolist()) if stop > start]


def _pairs(product: sparse.csr_array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Row, column and value of each entry, by row, then column."""
    product.sort_indices()
    row = np.repeat(np.arange(product.shape[0]), np.diff(product.indptr))
    return row, product.indices.astype(np.int64), product.data


def _largest(row: NDArray[np.int64], values: NDArray[np.float32], rows: int, keep: int) -> NDArray[np.int64]:
    """Where each row's `keep` largest positive values stand, sorted; `row` is sorted, equal values keep the first."""
    # positive floats are ordered as their bits are: one sort by (row, value descending)
    key = (row << 32) | (0xFFFFFFFF - values.view(np.uint32).astype(np.int64))
    order = np.argsort(key, kind="stable")
    first = np.searchsorted(row, np.arange(rows))
    rank = np.arange(len(row)) - first[row]  # row[order] is row: rows stay together
    return np.sort(order[(rank < keep) & (values[order] > 0)])
