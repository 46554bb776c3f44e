"""Nearest neighbours among the eligible items, behind one small interface, and the search over any of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import faiss
import numpy as np
from numpy.typing import NDArray

from bench import Answer, Requests

Vectors = NDArray[np.float32]
Ids = NDArray[np.int32]
Positions = NDArray[np.int64]
Metric = Literal["inner", "l2"]

_CELLS = 1 << 18  # neighbours held at once: requests x depth


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard an approximate index looks; each reads what is its own. ef: candidates that a graph's search holds;
    probes: lists that an inverted file looks through; refine: candidates for each neighbour asked for, where vectors
    are held compressed."""

    ef: int = 200
    probes: int = 16
    refine: int = 4


@dataclass(frozen=True, slots=True)
class Found:
    """positions int64 [B, k] (-1 where fewer are found) and scores float32 [B, k], best first: inner products, or
    negative squared distances. spent: vectors compared for all requests together; None where the library does not
    tell."""

    positions: Positions
    scores: Vectors
    spent: int | None


class Backend(Protocol):
    """An index over C vectors whose positions stand for the ids int32 [C]."""

    ids: Ids

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        """The neighbours of users float32 [B, D]; k is at most C."""

    def save(self, folder: Path) -> None:
        """Write what opening it needs beside the vectors."""


def levelled(vectors: Vectors) -> Vectors:
    """Vectors with one more number, sqrt(max |v|^2 - |v|^2), that makes the order of distances to (u, 0) that of inner
    products with u (Bachrach et al., Speeding Up the Xbox Recommender System Using a Euclidean Transformation for
    Inner-Product Spaces, RecSys 2014).

    Linked by inner product itself, items of small length or bias are hardly ever reached by a graph: measured on
    vectors trained on the synthetic data, ef 200 finds .47 of the exact top 50 so, and .997 by distance."""
    squares = np.einsum("cd,cd->c", vectors, vectors)  # (C,)
    rest = np.sqrt(np.maximum(squares.max(initial=0) - squares, 0))
    return np.column_stack([vectors, rest])


def flattened(users: Vectors) -> Vectors:
    """(u, 0): what `levelled` vectors are compared with."""
    return np.column_stack([users, np.zeros(len(users), np.float32)])


def rescored(
    users: Vectors, vectors: Vectors, positions: Positions, k: int, metric: Metric
) -> tuple[Positions, Vectors]:
    """The k best of positions int64 [B, K] (-1 where there are fewer, after all others) by exact comparison, best
    first, -1 last; and their scores.

    By faiss's kernel, which neither gathers the vectors nor sorts all: a third to a tenth of numpy's time."""
    users, vectors = (np.ascontiguousarray(array, np.float32) for array in (users, vectors))
    positions = np.ascontiguousarray(positions, np.int64)
    rows, width = positions.shape
    best = np.empty((rows, min(k, width)), np.int64)
    scores = np.empty(best.shape, np.float32)
    compare = faiss.knn_inner_products_by_idx if metric == "inner" else faiss.knn_L2sqr_by_idx
    given = (faiss.swig_ptr(array) for array in (users, vectors, positions))
    counts = (vectors.shape[1], rows, len(vectors), width, best.shape[1])
    compare(*given, *counts, faiss.swig_ptr(scores), faiss.swig_ptr(best), width)  # its own default is no row's length
    return best, np.where(best >= 0, scores if metric == "inner" else -scores, np.float32(-np.inf))


def compared(users: Vectors, vectors: Vectors, k: int, metric: Metric) -> Positions:
    """The k nearest of all vectors, int64 [B, k], by comparing every one."""
    measure = faiss.METRIC_L2 if metric == "l2" else faiss.METRIC_INNER_PRODUCT
    positions: Positions = faiss.knn(users, vectors, k, metric=measure)[1]
    return positions


def search(backend: Backend, users: Vectors, requests: Requests, k: int, effort: Effort, threads: int) -> Answer:
    """The k best of each request that it does not exclude: the index is asked for as many more as are excluded.

    users float32 [B, D], or [B, K, D] where a request has K vectors, of whose scores the best counts: the index is
    asked for each, and as each of the best k of all is among the best k of one, nothing is lost. Requests that exclude
    much are asked apart from the others, so that one long history does not slow a whole batch.
    Work is the mean of the requests that were asked together; unknown where the library does not tell.
    """
    ids = np.full((len(users), k), -1, np.int32)
    scores = np.full((len(users), k), -np.inf, np.float32)
    work: NDArray[np.int32] | None = np.zeros(len(users), np.int32)
    if not len(backend.ids):
        return Answer(ids, scores, work)
    several = users.shape[1] if users.ndim == 3 else 1  # vectors a request
    depths = _depths(requests.exclude.lengths, k, len(backend.ids))
    for depth in np.unique(depths):
        alike = np.flatnonzero(depths == depth)
        step = max(1, _CELLS // (int(depth) * several))
        for rows in (alike[at : at + step] for at in range(0, len(alike), step)):
            whole = len(rows) == len(users)
            asking = users if whole else users[rows]
            found = backend.nearest(asking.reshape(-1, users.shape[-1]), int(depth), effort, threads)
            positions, near_scores = found.positions, found.scores  # (B * K, depth)
            if several > 1:
                positions, near_scores = _merged(positions, near_scores, len(rows))
            near = np.where(positions >= 0, backend.ids[positions], np.int32(-1))  # (B, depth)
            asked = requests if whole else requests.take(rows)
            if several > 1 or len(asked.exclude.values):
                answer = Answer.top(near, near_scores, k, asked.exclude)
                ids[rows], scores[rows] = answer.ids, answer.scores
            else:  # as they are found, best first, and no more than k
                ids[rows, : near.shape[1]], scores[rows, : near.shape[1]] = near, near_scores
            if work is not None and found.spent is not None:
                work[rows] = round(found.spent / len(rows))
            else:
                work = None
    return Answer(ids, scores, work)


def _merged(positions: Positions, scores: Vectors, requests: int) -> tuple[Positions, Vectors]:
    """What several searches for each request found, [B * K, depth] -> [B, K * depth]: each position once, with its best
    score, -1 in place of the others."""
    positions, scores = positions.reshape(requests, -1), scores.reshape(requests, -1)
    order = np.lexsort((-scores, positions), axis=1)
    positions, scores = np.take_along_axis(positions, order, 1), np.take_along_axis(scores, order, 1)
    again = np.zeros(positions.shape, bool)
    again[:, 1:] = positions[:, 1:] == positions[:, :-1]
    return np.where(again, -1, positions), np.where(again, np.float32(-np.inf), scores)


def _depths(excluded: NDArray[np.int64], k: int, candidates: int) -> NDArray[np.int64]:
    """How many neighbours to ask for, int64 [B]: k and the excluded ones, rounded up to k, 1.5 k, 2 k, 3 k, 4 k, ..."""
    steps = [k]
    while steps[-1] < k + int(excluded.max(initial=0)):
        steps += [-(-steps[-1] * 3 // 2), steps[-1] * 2]
    ladder = np.array(sorted(set(steps)))
    return np.minimum(ladder[np.searchsorted(ladder, k + excluded)], candidates)
