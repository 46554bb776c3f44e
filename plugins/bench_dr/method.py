"""What the methods with paths have in common: parameters, the search and the files."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench import Answer, Catalog, Context, Evaluation, ParameterError, Requests, TrainingData, hookimpl, param, recall
from bench_dr.layers import PathModel
from bench_dr.objective import PathObjective
from bench_dr.paths import LARGEST, NONE, Paths
from bench_dr.serving import Index, Way
from bench_index.scoring import in_blocks
from bench_neural.execution import device_of, use_threads
from bench_neural.history import HISTORIES, History, history_of
from bench_neural.method import EncoderMethod
from bench_neural.moments import InnerObjective
from bench_neural.storage import load_weights, save_weights
from bench_neural.table import ROWS_AT_ONCE, prepared
from bench_neural.training import Outcome, Schedule, fit, scheduled, shared_out
from bench_neural.validation import mean_recall
from bench_neural.windows import Windows, later_share

VALIDATION_REQUESTS = 500
VALIDATION = Way(beam=50, ratio=10, reranked=True)


@dataclass
class PathMethod(EncoderMethod, ABC):
    """Items on paths through layers of nodes, searched with a beam and reranked by the inner product."""

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "layer softmaxes + items reranked"

    encoder: str = param("attention", help="what reads a history", choices=HISTORIES)
    nodes: int = param(100, help="nodes of a layer, K", low=2, high=1_000_000)
    joint: float = param(
        0.2, help="share of the paths' gradient that teaches the user and item networks too", low=0.0, high=1.0
    )
    moments: int = param(4, help="moments of a window at which paths are learnt", low=1, high=10_000)
    loss: str = param(
        "softmax",
        help="of the reranker. softmax: over drawn items, or all of up to 5,000; logistic: each on its own",
        choices=("softmax", "logistic"),
    )
    precision: str = param(
        "bfloat16", phase="index", help="numbers that the reranker's index holds", choices=("float32", "bfloat16")
    )
    shares: bool = param(
        True,
        phase="index",
        help="on a path, items count by their share of the moments that came by it; or all alike, as in the paper",
    )
    beam: int = param(
        50,
        phase="query",
        help="beginnings of paths kept in each layer",
        low=1,
        high=1_000_000,
        sweep=(10, 25, 50, 100),
        log=True,
    )
    ratio: int = param(
        10, phase="query", help="candidates taken for each item that is asked for", low=1, high=10_000, sweep=(2, 5, 10)
    )
    rerank: bool = param(
        True, phase="query", help="order candidates by the inner product; or by what makes them candidates"
    )

    path_layers_: PathModel = field(init=False, repr=False)
    paths_: Paths = field(init=False, repr=False)
    popularity_: NDArray[np.int64] = field(init=False, repr=False)  # training interactions of each training item
    moments_: NDArray[np.float32] = field(init=False, repr=False)  # (items, J): of each item on each of its paths
    index_: Index = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ParameterError where parameters do not go with one another."""
        if self.nodes**self.depth > LARGEST:
            raise ParameterError(
                f"nodes={self.nodes} on each of {self.depth} layers are more paths than can be numbered"
            )

    def history(self) -> History:
        return history_of(self.encoder, self.dim, self.length, self.blocks, self.heads, self.dropout)

    @property
    @abstractmethod
    def depth(self) -> int:
        """Nodes of a path, D."""

    @abstractmethod
    def fresh_layers(self) -> PathModel:
        """An untrained path model."""

    def started(self, data: TrainingData, context: Context) -> None:
        """Fresh networks for the data; to be called within `seeded`."""
        self.popularity_ = np.bincount(data.interactions.items, minlength=data.catalog.size)
        self.network_ = self.fresh_network(data, self.popularity_, context)
        self.path_layers_ = self.fresh_layers().to(device_of(context))

    def turns(self, count: int) -> list[Schedule]:
        """The schedules of `count` trainings that share out epochs and seconds."""
        return shared_out(scheduled(self, self.popularity_), count)

    def learn(
        self,
        paths: Paths | None,
        data: TrainingData,
        validation: Evaluation,
        generator: torch.Generator,
        schedule: Schedule,
        context: Context,
    ) -> Outcome:
        """Train on the paths, or without them the inner product alone."""
        later = later_share(self.later, data.validation.targets)
        sampler = self.sampler(self.popularity_, generator, context.device)
        kind = "softmax" if self.loss == "softmax" else "nce"
        inner = InnerObjective(self.network_, self.popularity_, sampler, self.negatives, later, kind)
        windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
        if paths is None:
            return self.learn_alone(inner, windows, validation, generator, schedule, context)
        objective = self.objective(paths, inner, generator, later)

        def searched() -> float:
            now = self.now(paths)
            even = np.repeat(self.popularity_[:, None], now.numbers.shape[1], 1).astype(np.float32)
            index = self.serving(data.catalog, now, even, True, False)
            found = self._answer(index, validation.requests, 50, VALIDATION, context.threads)
            return mean_recall(float(recall(found.ids, validation.targets, 50).sum()), len(found.ids))

        model = nn.ModuleDict({"network": self.network_, "layers": self.path_layers_})
        return fit(model, windows, objective, searched, schedule, context, generators=[generator])

    def objective(self, paths: Paths, inner: InnerObjective, generator: torch.Generator, later: float) -> PathObjective:
        """What the path model is trained to do."""
        return PathObjective(self.path_layers_, paths, inner, generator, self.moments, self.joint, later)

    def now(self, paths: Paths) -> Paths:
        """The paths while it is trained on `paths`."""
        return paths

    def serving(
        self, catalog: Catalog, paths: Paths, moments: NDArray[np.float32], shares: bool, bfloat16: bool
    ) -> Index:
        """The index over those of the catalog's candidates that lie on a path; the network is bound to the catalog.

        moments float32 [N', J]: how many the first N' items, those of training, had on each of their paths; further
        ones count as such an item does in the mean. shares: an item's weight on a path is its share of the moments
        there; or 1. Called without gradients."""
        vectors, items = self.network_.items(), catalog.candidates()
        items = items[(paths.numbers[items] != NONE).any(1)].astype(np.int32)
        counts = np.full(paths.numbers.shape, moments[moments > 0].mean() if (moments > 0).any() else 1.0, np.float32)
        counts[: len(moments)] = moments[: len(counts)]
        weights = paths.shares(counts) if shares else np.ones_like(counts)
        answered = torch.from_numpy(items.astype(np.int64)).to(vectors.device)
        blocks = (vectors[some] for some in answered.split(ROWS_AT_ONCE))
        table = prepared(self.network_.scorer, len(items), blocks, bfloat16)
        return Index(vectors, paths, weights, items, table)

    @abstractmethod
    def placed(self, catalog: Catalog) -> Paths:
        """The paths of all of the catalog's candidates: those that training did not place are placed now."""

    def unplaced(self, catalog: Catalog) -> tuple[Paths, NDArray[np.int32]]:
        """The paths of training, of as many items as the catalog has, and its candidates that lie on none."""
        numbers = np.full((catalog.size, self.paths_.numbers.shape[1]), NONE, np.int64)
        known = min(catalog.size, len(self.paths_))
        numbers[:known] = self.paths_.numbers[:known]
        candidates = catalog.candidates()
        new = candidates[(numbers[candidates] == NONE).all(1)].astype(np.int32)
        return dataclasses.replace(self.paths_, numbers=numbers), new

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.network_.encoder.bind(catalog)
        with torch.inference_mode():
            paths = self.placed(catalog)
            self.index_ = self.serving(catalog, paths, self.moments_, self.shares, self.precision == "bfloat16")

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        threads = max(1, min(context.threads, len(requests)))  # more than one for a request cost more than they give
        use_threads(threads)
        with torch.inference_mode():
            return self._answer(self.index_, requests, k, Way(self.beam, self.ratio, self.rerank), threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        with torch.inference_mode():
            return self.index_.score(self.network_, self.path_layers_, requests, items, self.rerank)

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.save_network(folder)
            save_weights(folder / "layers.safetensors", self.path_layers_)
            self.paths_.save(folder)
            np.save(folder / "popularity.npy", self.popularity_, allow_pickle=False)
            np.save(folder / "moments.npy", self.moments_, allow_pickle=False)
        else:
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "train":
            self.network_ = self.load_network(folder, context)
            self.popularity_ = np.load(folder / "popularity.npy", allow_pickle=False)
            self.path_layers_ = self.fresh_layers()
            load_weights(folder / "layers.safetensors", self.path_layers_)
            self.path_layers_.to(device_of(context)).eval()
            self.paths_ = Paths.load(folder, self.nodes, self.depth)
            self.moments_ = np.load(folder / "moments.npy", allow_pickle=False)
        else:
            self.index_ = Index.load(folder, self.nodes, self.depth, device_of(context))

    def _answer(self, index: Index, requests: Requests, k: int, way: Way, threads: int) -> Answer:
        network, layers = self.network_, self.path_layers_
        return in_blocks(requests, lambda part: index.answer(network, layers, part, k, way, threads))
