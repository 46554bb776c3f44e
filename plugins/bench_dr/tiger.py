"""Generative retrieval: an item's codes are written down one after another."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from bench import Catalog, Context, DataError, TrainingData, hookimpl, param
from bench_dr.layers import PathModel, SequenceLayers
from bench_dr.learning import Passing, likelihood
from bench_dr.method import VALIDATION_REQUESTS, PathMethod
from bench_dr.paths import NONE, Paths
from bench_dr.start import nearest_paths, residual_centroids
from bench_neural.checkpoint import apart
from bench_neural.execution import seeded, use_threads
from bench_neural.validation import some_of
from bench_neural.windows import later_share

NEAREST = 8  # codes that an item may have where its nearest are taken


@dataclass
class Tiger(PathMethod):
    """An item is a few codes from residual quantisation; a sequence decoder writes the codes of what a user wants.

    Recommender Systems with Generative Retrieval (TIGER, NeurIPS 2023). Beam search keeps to codes that are an item's.
    A last code tells apart items whose others are alike.

    Departures from the paper. The codes are those of residual k-means over item vectors that a training without codes
    has learnt, ids included, where the paper quantises text embeddings by RQ-VAE. A history is read as item vectors, by
    the network that all methods here share, not as codes. The inner product is learnt on, beside the codes, and can
    rerank (`rerank`).
    """

    layers: int = param(3, help="codes of an item, without the last that tells like ones apart", low=1, high=15)
    nodes: int = param(256, help="values of a code", low=2, high=1_000_000)
    decoder_blocks: int = param(1, help="transformer blocks of the decoder", low=1, high=16)
    moments: int = param(8, help="moments of a window at which codes are learnt", low=1, high=10_000)
    beam: int = param(
        200,
        phase="query",
        help="codes kept at each step, at least the items asked for",
        low=1,
        high=1_000_000,
        log=True,
    )
    rerank: bool = param(
        False, phase="query", help="order candidates by the inner product; or by the probability of their codes"
    )

    centroids_: NDArray[np.float32] = field(init=False, repr=False)  # (layers, nodes, d)

    @property
    def depth(self) -> int:
        return self.layers + 1

    def fresh_layers(self) -> PathModel:
        return SequenceLayers(self.dim, self.nodes, self.depth, self.decoder_blocks, self.heads, self.dropout)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        validation = some_of(data.validation, context.rng, VALIDATION_REQUESTS)
        later = later_share(self.later, data.validation.targets)
        with seeded(context.seed) as generator:
            self.started(data, context)
            alone, coded = self.turns(2)
            reached = self.learn(None, data, validation, generator, alone, apart(context, 0))
            context.milestone("vectors", **{"validation recall@50, exact": reached.best})
            met = np.flatnonzero(self.popularity_).astype(np.int32)
            with torch.inference_mode():
                vectors = self.network_.items()[:, :-1].cpu().numpy()
                self.centroids_ = residual_centroids(vectors[met], self.nodes, self.layers, context.seed)
                nothing = np.full((data.catalog.size, 1), NONE, np.int64)
                order = met[np.argsort(-self.popularity_[met], kind="stable")]
                self.paths_ = self.coded(Paths(self.nodes, self.depth, nothing), order, vectors)
            reached = self.learn(self.paths_, data, validation, generator, coded, apart(context, 1))
            passing = Passing(self.network_, data.interactions, 20_000, later, self.batch, context)
            with torch.inference_mode():
                likely = likelihood(passing, self.path_layers_, self.paths_)
            self.moments_ = likely.moments
            alike = self.paths_.numbers[met, 0] % self.nodes > 0  # their others are those of an item before
            told = {"log-likelihood": likely.mean, "items told apart by the last code": int(alike.sum())}
            context.milestone("codes", **{"validation recall@50": reached.best, **told})

    def coded(self, paths: Paths, items: NDArray[np.int32], vectors: NDArray[np.float32]) -> Paths:
        """`paths` with codes for `items` int32 [n], in this order; vectors float32 [N, d]. Raises DataError where there
        are more items alike than a code can tell apart."""
        near = nearest_paths(vectors[items], self.centroids_, NEAREST)
        taken = paths.numbers[paths.numbers != NONE]
        every = np.unique(np.concatenate([near.numbers.ravel(), taken // self.nodes]))
        used = np.bincount(np.searchsorted(every, taken // self.nodes), minlength=len(every)).astype(np.int64)
        chosen = _told_apart(np.searchsorted(every, near.numbers), used, self.nodes)
        if (chosen < 0).any():
            raise DataError(f"more than {self.nodes:,} items are alike: raise nodes or layers")
        numbers = paths.numbers.copy()
        numbers[items, 0] = every[chosen // self.nodes] * self.nodes + chosen % self.nodes
        return dataclasses.replace(paths, numbers=numbers)

    def placed(self, catalog: Catalog) -> Paths:
        paths, new = self.unplaced(catalog)
        return self.coded(paths, new, self.network_.items()[:, :-1].cpu().numpy()) if len(new) else paths

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        super().save(folder, phase)
        if phase == "train":
            np.save(folder / "centroids.npy", self.centroids_, allow_pickle=False)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        super().load(folder, phase, context)
        if phase == "train":
            self.centroids_ = np.load(folder / "centroids.npy", allow_pickle=False)


@numba.njit(cache=True)
def _told_apart(near, used, nodes):  # type: ignore[no-untyped-def]
    """The codes of each item: the nearest whose last code is not used up, int64 [n], or -1. used int64: how many last
    codes each has given out."""
    chosen = np.full(len(near), -1, np.int64)
    for item in range(len(near)):
        for codes in near[item]:
            if used[codes] < nodes:
                chosen[item] = codes * nodes + used[codes]
                used[codes] += 1
                break
    return chosen
