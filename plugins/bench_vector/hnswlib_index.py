"""hnswlib's graph."""

from __future__ import annotations

from pathlib import Path

import hnswlib
import numpy as np

from bench_vector.backends import Effort, Found, Ids, Metric, Vectors, compared, flattened, levelled, rescored

FILE = "hnsw.bin"


class Hnswlib:
    """hnswlib over distances, inner products made such (`levelled`). ef is raised to k where it is smaller."""

    def __init__(self, vectors: Vectors, ids: Ids, index: hnswlib.Index, metric: Metric) -> None:
        self.vectors, self.ids, self.index, self.metric = vectors, ids, index, metric

    @classmethod
    def build(
        cls, vectors: Vectors, ids: Ids, m: int, ef_construction: int, seed: int, threads: int, metric: Metric = "inner"
    ) -> Hnswlib:
        """Insert all vectors; with one thread the same graph each time."""
        index = cls._empty(vectors, metric)
        index.init_index(
            max_elements=max(1, len(vectors)), M=m, ef_construction=ef_construction, random_seed=seed % (1 << 31)
        )
        if len(vectors):
            shown = levelled(vectors) if metric == "inner" else vectors
            index.add_items(shown, np.arange(len(vectors)), num_threads=threads)
        return cls(vectors, ids, index, metric)

    @classmethod
    def open(cls, vectors: Vectors, ids: Ids, folder: Path, metric: Metric = "inner") -> Hnswlib:
        """Read the graph that `save` wrote. ef belongs to the query, so it cannot be lost with the file."""
        index = cls._empty(vectors, metric)
        index.load_index(str(folder / FILE), max_elements=max(1, len(vectors)))
        return cls(vectors, ids, index, metric)

    @staticmethod
    def _empty(vectors: Vectors, metric: Metric) -> hnswlib.Index:
        return hnswlib.Index(space="l2", dim=vectors.shape[1] + (metric == "inner"))

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        self.index.set_ef(max(effort.ef, k))
        asked = flattened(users) if self.metric == "inner" else users
        try:
            positions, _ = self.index.knn_query(asked, k, num_threads=threads)
        except RuntimeError:  # the walk could not reach k items: some stand apart from the rest
            positions = compared(users, self.vectors, k, self.metric)
        return Found(*rescored(users, self.vectors, positions.astype(np.int64), k, self.metric), None)

    def save(self, folder: Path) -> None:
        self.index.save_index(str(folder / FILE))
