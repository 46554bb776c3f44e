"""Nearest neighbours by inner product among the eligible items, behind one small interface."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import faiss
import hnswlib
import numpy as np
from numpy.typing import NDArray

from bench import Answer, Requests

Vectors = NDArray[np.float32]
Ids = NDArray[np.int32]


_CELLS = 1 << 18  # neighbours held at once: requests x depth


class Backend(Protocol):
    """An index over C vectors whose positions stand for the ids int32 [C]."""

    ids: Ids

    def nearest(self, users: Vectors, k: int, effort: int, threads: int) -> tuple[NDArray[np.int64], Vectors]:
        """Positions [B, k] (-1 where fewer are found) and inner products [B, k], best first; k is at most C.

        effort: how hard an approximate index looks; an exact one ignores it.
        """

    def evaluations(self) -> int | None:
        """Inner products spent on each request; None where the library does not tell."""

    def save(self, folder: Path) -> None:
        """Write what `open_*` needs beside the vectors."""


class Flat:
    """Every vector is compared: faiss IndexFlatIP."""

    def __init__(self, vectors: Vectors, ids: Ids) -> None:
        self.ids = ids
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(np.ascontiguousarray(vectors, np.float32))

    def nearest(self, users: Vectors, k: int, effort: int, threads: int) -> tuple[NDArray[np.int64], Vectors]:
        if faiss.omp_get_max_threads() != threads:
            faiss.omp_set_num_threads(threads)
        scores, positions = self.index.search(users, k)
        return positions, scores

    def evaluations(self) -> int | None:
        return len(self.ids)

    def save(self, folder: Path) -> None:
        """Nothing: the vectors are all there is."""


class HNSW:
    """hnswlib's graph, inner products made distances. `effort` is its ef, raised to k where it is smaller.

    One more number a vector, sqrt(max |v|^2 - |v|^2), makes the L2 order that of inner products (Bachrach et al.,
    Speeding Up the Xbox Recommender System Using a Euclidean Transformation for Inner-Product Spaces, RecSys 2014).
    Linked by inner product itself, items of small length or bias are hardly ever reached: measured on vectors trained
    on the synthetic data, ef 200 finds .47 of the exact top 50 so, and .997 by distance.
    """

    def __init__(self, vectors: Vectors, ids: Ids, index: hnswlib.Index) -> None:
        self.ids = ids
        self.vectors = vectors
        self.index = index

    @classmethod
    def build(cls, vectors: Vectors, ids: Ids, m: int, ef_construction: int, seed: int, threads: int) -> HNSW:
        """Insert all vectors; with one thread the same graph each time."""
        index = hnswlib.Index(space="l2", dim=vectors.shape[1] + 1)
        index.init_index(
            max_elements=max(1, len(vectors)), M=m, ef_construction=ef_construction, random_seed=seed % (1 << 31)
        )
        if len(vectors):
            squares = np.einsum("cd,cd->c", vectors, vectors)  # (C,)
            rest = np.sqrt(np.maximum(squares.max() - squares, 0))
            index.add_items(np.column_stack([vectors, rest]), np.arange(len(vectors)), num_threads=threads)
        return cls(vectors, ids, index)

    @classmethod
    def open(cls, vectors: Vectors, ids: Ids, folder: Path) -> HNSW:
        """Read the graph that `save` wrote. ef belongs to the query, so it cannot be lost with the file."""
        index = hnswlib.Index(space="l2", dim=vectors.shape[1] + 1)
        index.load_index(str(folder / "hnsw.bin"), max_elements=max(1, len(vectors)))
        return cls(vectors, ids, index)

    def nearest(self, users: Vectors, k: int, effort: int, threads: int) -> tuple[NDArray[np.int64], Vectors]:
        self.index.set_ef(max(effort, k))
        asked = np.column_stack([users, np.zeros(len(users), np.float32)])  # (B, D + 1)
        try:
            positions, _ = self.index.knn_query(asked, k, num_threads=threads)
        except RuntimeError:  # the walk could not reach k items: some stand apart from the rest
            every = np.arange(len(self.vectors), dtype=np.int32)
            best = Answer.top(every, users @ self.vectors.T, k)
            assert best.scores is not None
            return best.ids.astype(np.int64), best.scores
        positions = positions.astype(np.int64)
        scores = np.matmul(self.vectors[positions], users[:, :, None])[:, :, 0]  # (B, k)
        return positions, scores

    def evaluations(self) -> int | None:
        return None

    def save(self, folder: Path) -> None:
        self.index.save_index(str(folder / "hnsw.bin"))


def search(backend: Backend, users: Vectors, requests: Requests, k: int, effort: int, threads: int) -> Answer:
    """The k best of each request that it does not exclude: the index is asked for as many more as are excluded.

    Requests that exclude much are asked apart from the others, so that one long history does not slow a whole batch.
    """
    ids = np.full((len(users), k), -1, np.int32)
    scores = np.full((len(users), k), -np.inf, np.float32)
    spent = backend.evaluations()
    work = None if spent is None else np.full(len(users), spent, np.int32)
    if not len(backend.ids):
        return Answer(ids, scores, work)
    depths = _depths(requests.exclude.lengths, k, len(backend.ids))
    if len(users) == 1:
        answer = _search(backend, users, requests, k, int(depths[0]), effort, threads)
        return Answer(answer.ids, answer.scores, work)
    for depth in np.unique(depths):
        alike = np.flatnonzero(depths == depth)
        step = max(1, _CELLS // int(depth))
        for rows in (alike[at : at + step] for at in range(0, len(alike), step)):
            answer = _search(backend, users[rows], requests.take(rows), k, int(depth), effort, threads)
            ids[rows], scores[rows] = answer.ids, answer.scores
    return Answer(ids, scores, work)


def _depths(excluded: NDArray[np.int64], k: int, candidates: int) -> NDArray[np.int64]:
    """How many neighbours to ask for, int64 [B]: k and the excluded ones, rounded up to k, 1.5 k, 2 k, 3 k, 4 k, ..."""
    steps = [k]
    while steps[-1] < k + int(excluded.max(initial=0)):
        steps += [-(-steps[-1] * 3 // 2), steps[-1] * 2]
    ladder = np.array(sorted(set(steps)))
    return np.minimum(ladder[np.searchsorted(ladder, k + excluded)], candidates)


def _search(
    backend: Backend, users: Vectors, requests: Requests, k: int, depth: int, effort: int, threads: int
) -> Answer:
    positions, scores = backend.nearest(users, depth, effort, threads)
    ids = np.where(positions >= 0, backend.ids[positions], np.int32(-1))  # (B, depth)
    return Answer.top(ids, scores, k, requests.exclude)
