"""An index alone, over vectors that are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, DataError, Requests, hookimpl
from bench_vector.backends import Backend, Metric, Vectors, search
from bench_vector.indexed import Indexed

METRICS: dict[str, Metric] = {"inner product": "inner", "cosine": "inner", "euclidean": "l2"}


@dataclass
class Ann(Indexed):
    """An index over stored vectors, for index-only tasks: what ANN benchmarks measure.

    The data set says how vectors are compared: by inner product, by cosine (vectors are brought to length 1) or by
    Euclidean distance.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "vectors compared"

    index_: Backend = field(init=False, repr=False)
    vectors_: Vectors = field(init=False, repr=False)  # (C, D), as they are compared
    ids_: NDArray[np.int32] = field(init=False, repr=False)
    distance_: str = field(init=False, repr=False)

    @hookimpl
    def train(self) -> None:
        """Nothing is learnt."""

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        if catalog.vectors is None or catalog.distance is None:
            raise DataError(
                "ann searches vectors, and this data set has none: use a data set of vectors, such as mnist"
            )
        self.distance_, self.ids_ = catalog.distance, catalog.candidates()
        vectors = catalog.vectors if catalog.eligible is None else catalog.vectors[self.ids_]
        self.vectors_ = self._comparable(np.ascontiguousarray(vectors, np.float32))
        self.index_ = self.built(self.vectors_, self.ids_, context.seed, METRICS[self.distance_])

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        return search(self.index_, self._asked(requests), requests, k, self.effort(), context.threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        vectors = self.vectors_[np.searchsorted(self.ids_, items)]
        users = self._asked(requests)
        inner: NDArray[np.float32] = users @ vectors.T  # (B, C)
        if METRICS[self.distance_] == "inner":
            return inner
        return 2 * inner - np.einsum("cd,cd->c", vectors, vectors) - np.einsum("bd,bd->b", users, users)[:, None]

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "index":
            np.save(folder / "vectors.npy", self.vectors_, allow_pickle=False)
            np.save(folder / "ids.npy", self.ids_, allow_pickle=False)
            (folder / "distance.txt").write_text(self.distance_, encoding="utf-8")
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "index":
            self.vectors_ = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            self.ids_ = np.load(folder / "ids.npy", allow_pickle=False)
            self.distance_ = (folder / "distance.txt").read_text(encoding="utf-8")
            self.index_ = self.opened(self.vectors_, self.ids_, folder, METRICS[self.distance_])

    def _asked(self, requests: Requests) -> Vectors:
        if requests.vectors is None:
            raise DataError("ann needs requests with vectors")
        return self._comparable(np.ascontiguousarray(requests.vectors, np.float32))

    def _comparable(self, vectors: Vectors) -> Vectors:
        if self.distance_ != "cosine":
            return vectors
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors / np.where(lengths > 0, lengths, 1).astype(np.float32)
