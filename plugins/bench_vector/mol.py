"""The mixture of logits as a retrieval method of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param
from bench_neural.execution import seeded, use_threads
from bench_neural.method import EncoderMethod
from bench_neural.scorers import MixtureOfLogits, Scorer
from bench_neural.table import ROWS_AT_ONCE, load_table, prepared, save_table
from bench_neural.training import fit, scheduled
from bench_neural.validation import Validation
from bench_neural.whole import Aims, Objective
from bench_neural.windows import Windows, later_share
from bench_vector.backends import search
from bench_vector.indexed import Indexed
from bench_vector.mixture import Mixture, asking, component_folder, component_vectors


@dataclass
class MoL(Indexed, EncoderMethod):
    """Mixture of logits (Revisiting Neural Retrieval on Accelerators, KDD 2023), retrieved in two stages.

    s = sum_k g_k(u, x) <u_k, x_k> + c over the encoder of SASRec; the first stage finds each component's neighbours in
    an index of its own, `refine` for each item asked for, the second computes the whole score of them. The plain inner
    product is learnt beside it at every moment of a window. Departures: bench_neural.scorers says those of the gates;
    the first stage is the components' own rather than a further, smaller inner product (h-indexer). It is indexed and
    searched on the CPU wherever it was trained.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items reranked"

    components: int = param(4, help="inner products that are mixed", low=1, high=64, sweep=(2, 4, 8))
    joint: float = param(
        0.2, help="share of the mixture's gradient that teaches the user and item networks too", low=0.0, high=1.0
    )
    moments: int = param(16, help="moments of a window at which the mixture is learnt", low=1, high=10_000)

    vectors_: Tensor = field(init=False, repr=False)  # (N, d + 1): the item network's, of the query catalog
    index_: Mixture = field(init=False, repr=False)

    def scoring(self) -> Scorer:
        return MixtureOfLogits(self.dim, self.components)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        later = later_share(self.later, data.validation.targets)
        validation = Validation(data.validation, data.catalog.size, context.rng)
        with seeded(context.seed) as generator:
            self.network_ = self.fresh_network(data, counts, context)
            windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = self.sampler(counts, generator, context.device)
            aims = Aims(self.negatives, self.moments, self.joint, "softmax", later)
            objective = Objective(self.network_, counts, sampler, generator, aims)
            fit(
                self.network_,
                windows,
                objective,
                lambda: validation(self.network_),
                scheduled(self, counts),
                context,
                generators=[generator],
            )

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.network_.cpu().encoder.bind(catalog)
        ids = catalog.candidates()
        with torch.inference_mode():
            self.vectors_ = self.network_.items()
            table = self._sides(ids)
            vectors = component_vectors(self._scorer, table)
        found = tuple(self.built(one, ids, context.seed) for one in vectors)
        self.index_ = Mixture(ids, self._scorer, table, found)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        use_threads(context.threads)
        with torch.inference_mode():
            users = asking(self.network_.requests(requests, self.vectors_))
            return search(self.index_, users, requests, k, self.effort(), context.threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        with torch.inference_mode():
            asked = self.network_.requests(requests, self.vectors_)
            scores: NDArray[np.float32] = self._scorer.block(asked, self._sides(items)).numpy()
        return scores

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.save_network(folder)
        else:
            np.save(folder / "vectors.npy", self.vectors_.numpy(), allow_pickle=False)
            np.save(folder / "ids.npy", self.index_.ids, allow_pickle=False)
            save_table(folder / "table.npy", self.index_.table)
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "train":
            self.network_ = self.load_network(folder, context).cpu()
        else:
            self.vectors_ = torch.from_numpy(np.load(folder / "vectors.npy", allow_pickle=False))
            ids, table = np.load(folder / "ids.npy", allow_pickle=False), load_table(folder / "table.npy", "cpu")
            vectors = component_vectors(self._scorer, table)
            found = tuple(self.opened(one, ids, component_folder(folder, at)) for at, one in enumerate(vectors))
            self.index_ = Mixture(ids, self._scorer, table, found)

    @property
    def _scorer(self) -> MixtureOfLogits:
        scorer = self.network_.scorer
        assert isinstance(scorer, MixtureOfLogits)
        return scorer

    def _sides(self, ids: NDArray[np.int32]) -> Tensor:
        """The scorer's item side (n, width) of items."""
        where = torch.from_numpy(np.asarray(ids, np.int64))
        return prepared(self._scorer, len(where), (self.vectors_[some] for some in where.split(ROWS_AT_ONCE)), False)
