"""The DVF method: any scorer over a graph of the items, searched by the scorer itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param
from bench_dvf.effort import fitted
from bench_dvf.network import Network
from bench_dvf.objective import Objective
from bench_dvf.pairs import PairScorer
from bench_dvf.validation import shortlist_recall
from bench_index.beam import search
from bench_index.graph import Graph
from bench_index.hnsw import build_hnsw
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.history import CausalTransformer
from bench_neural.negatives import NegativeSampler
from bench_neural.scorers import Asked, TargetAttentionScorer
from bench_neural.storage import load_encoders, load_weights, save_encoders, save_weights
from bench_neural.training import Schedule, fit
from bench_neural.users import UserEncoder
from bench_neural.windows import Windows, later_share

REQUESTS_AT_ONCE = 64
FINAL_LEARNING_RATE = 0.05  # of the first one


@dataclass
class DVF:
    """Any scorer over a graph: target attention and an MLP score the items that a beam search along HNSW links meets.

    DVF (二向箔): Approximate Nearest Neighbor Search under Neural Similarity Metric for Large-Scale Recommendation
    (NANN, CIKM 2022). An item network over id and side information makes the vectors that the graph (HNSW, L2) is built
    over; a causal transformer reads the user's history; the score is an MLP over the user's state, what target
    attention finds in the history, and the item. Beam-retrieval walks the graph by that score.

    Departures from the paper: the MLP is added to the inner product of user and item and the item's bias, and refines
    them: these learn at all moments of a window, the MLP and its attention at a few and without changing them. Sampled
    softmax (over all items where they are few) stands in place of NCE; the adversarial task is left out; the graph also
    weighs the bias. Attention's values are taken through the first score layer beforehand, so that what depends on an
    item or on a request alone is computed once. The search widens from a few candidates in place of the whole beam and
    bounds the work: see bench_index.beam (`step=0 share=1` is the paper's).
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    dim: int = param(64, help="length of item vectors and user states", low=1, high=4096, sweep=(32, 64, 128))
    length: int = param(100, help="newest items of a history that the user network reads", low=1, high=10_000)
    behaviours: int = param(32, help="newest items of a history that target attention looks at", low=1, high=10_000)
    blocks: int = param(2, help="transformer blocks of the user network", low=1, high=64)
    heads: int = param(2, help="attention heads of the user network, a divisor of dim", low=1, high=64)
    attention: int = param(32, help="length of target attention's queries and keys", low=1, high=4096)
    hidden: int = param(64, help="width of the first score layer; the second has half of it", low=2, high=4096)
    dropout: float = param(0.2, help="share of the user network's activations dropped in training", low=0.0, high=0.9)
    id_dropout: float = param(0.02, help="share of item ids hidden in training, for new items' sake", low=0.0, high=1.0)
    later: float = param(
        -1.0,
        help="share of targets that are any later item, not the next one; -1: half where requests have several targets",
        low=-1.0,
        high=1.0,
    )
    negatives: int = param(512, help="items drawn for a batch; the whole score sees a quarter", low=4, high=1_000_000)
    moments: int = param(4, help="moments of a window at which the whole score is learnt", low=1, high=10_000)
    power: float = param(0.75, help="negatives are drawn by frequency to this power", low=0.0, high=1.0)
    uniform: float = param(0.25, help="share of negatives drawn evenly instead", low=0.0, high=1.0)
    id_scale: float = param(
        0.1,
        help="size of the items' own embeddings at first, so that side information speaks first",
        low=0.0,
        high=10.0,
    )
    learning_rate: float = param(3e-3, help="AdamW's step size at first; it falls to a twentieth", low=1e-6, high=1.0)
    weight_decay: float = param(0.0, help="AdamW's weight decay", low=0.0, high=1.0)
    batch: int = param(64, help="windows a batch", low=1, high=100_000)
    epochs: int = param(
        0, help="passes over the training data; 0: one for every ten interactions an item, 1 to 20", low=0, high=10_000
    )
    patience: int = param(4, help="epochs without a better validation recall@50 before it stops", low=1, high=10_000)
    seconds: float = param(600.0, help="training begins no batch after so long; 0: no limit", low=0.0, high=1e7)
    links: int = param(32, phase="index", help="M of HNSW: links a node, twice as many at the bottom", low=2, high=256)
    ef_construction: int = param(40, phase="index", help="candidates looked at to link a node", low=1, high=100_000)
    bias_weight: float = param(
        0.5, phase="index", help="weight of an item's bias in the graph's distances", low=0.0, high=100.0
    )
    ef: tuple[int, ...] = param(
        (100, 200, 400),
        phase="query",
        help="beam width on each layer, the bottom last; narrowed above it where share allows few items",
        low=1,
        high=1_000_000,
    )
    rounds: tuple[int, ...] = param(
        (1, 1, 3), phase="query", help="T: expansions of the beam on each layer, the bottom last", low=1, high=100_000
    )
    share: float = param(
        0.1,
        phase="query",
        help="at most this share of the candidates is scored, or 2.25 k and the excluded where that is more",
        low=0.0001,
        high=1.0,
        sweep=(0.02, 0.05, 0.1, 0.2),
        log=True,
    )
    step: int = param(
        2,
        phase="query",
        help="candidates expanded in a layer's first turn, half as many again each turn; 0: the whole beam",
        low=0,
        high=1_000_000,
    )

    network_: Network = field(init=False, repr=False)
    vectors_: torch.Tensor = field(init=False, repr=False)  # (N, d + 1), bias last
    table_: torch.Tensor = field(init=False, repr=False)  # (C, width): the scorer's item side, in the graph's order
    graph_: Graph = field(init=False, repr=False)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        later = later_share(self.later, data.validation.targets)
        with seeded(context.seed) as generator:
            items = ItemEncoder(data.catalog, counts > 0, self.dim, self.id_dropout)
            self.network_ = self._network(items, ProfileEncoder(data.profiles, self.dim)).to(device_of(context))
            self.network_.start(counts, self.id_scale)
            self.network_.users.bind(data.profiles, len(data.interactions.by_user))
            windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = NegativeSampler(counts, generator, self.power, self.uniform, context.device)
            objective = Objective(self.network_, counts, sampler, generator, self.negatives, self.moments, later)
            fit(self.network_, windows, objective, lambda: self._validate(data), self._schedule(counts), context)

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.network_.encoder.bind(catalog)
        with torch.inference_mode():
            self.vectors_ = self.network_.items()  # (N, d + 1)
            candidates = catalog.candidates()
            vectors = self.vectors_.cpu().numpy()[candidates]  # (C, d + 1)
            vectors[:, -1] *= self.bias_weight
            self.graph_ = build_hnsw(vectors, candidates, links=self.links, effort=self.ef_construction)
            self.table_ = self._rows(self.graph_.items)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        use_threads(context.threads)
        effort = fitted(self.graph_, self.ef, self.rounds, self.share, self.step)
        answers = []
        with torch.inference_mode():
            for begin in range(0, max(1, len(requests)), REQUESTS_AT_ONCE):
                some = requests[begin : begin + REQUESTS_AT_ONCE]
                scorer = PairScorer(self.network_.scorer, self._ask(some), self.table_)
                answers.append(search(self.graph_, scorer, effort, k, some.exclude, context.threads))
        return joined(answers)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        with torch.inference_mode():
            scorer = PairScorer(self.network_.scorer, self._ask(requests), self._rows(items))
            return scorer.block(0, len(items))

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            save_weights(folder / "weights.safetensors", self.network_)
            save_encoders(folder, self.network_.encoder, self.network_.users.profiles)
        else:
            self.graph_.save(folder)
            for name, array in (("vectors", self.vectors_), ("table", self.table_)):
                np.save(folder / f"{name}.npy", array.cpu().numpy(), allow_pickle=False)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        device = device_of(context)
        if phase == "train":
            self.network_ = self._network(*load_encoders(folder, self.dim, self.id_dropout))
            load_weights(folder / "weights.safetensors", self.network_)
            self.network_.to(device).eval()
        else:
            self.graph_ = Graph.load(folder)
            stored = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("vectors", "table"))
            self.vectors_, self.table_ = (torch.from_numpy(array).to(device) for array in stored)

    def _network(self, items: ItemEncoder, profiles: ProfileEncoder) -> Network:
        history = CausalTransformer(self.dim, self.length, self.blocks, self.heads, self.dropout)
        users = UserEncoder(profiles, history, self.dim, self.length)
        return Network(items, users, TargetAttentionScorer(self.dim, self.attention, self.hidden, self.behaviours))

    def _schedule(self, counts: NDArray[np.int64]) -> Schedule:
        """A sparse catalog overfits after few passes, a dense one gains from many."""
        density = counts.sum() / max(1, np.count_nonzero(counts))
        epochs = self.epochs or int(np.clip(density // 10, 1, 20))
        return Schedule(
            epochs, self.patience, self.seconds, self.learning_rate, self.weight_decay, final=FINAL_LEARNING_RATE
        )

    def _validate(self, data: TrainingData) -> float:
        return shortlist_recall(self.network_, data.validation)

    def _ask(self, requests: Requests) -> Asked:
        return self.network_.requests(requests, self.vectors_)

    def _rows(self, items: NDArray[np.int32]) -> torch.Tensor:
        """The scorer's item side (C, width) of `items`."""
        rows = torch.from_numpy(np.asarray(items, np.int64)).to(self.vectors_.device)
        return self.network_.scorer.items(self.vectors_[rows])


def joined(answers: list[Answer]) -> Answer:
    """The answers of consecutive blocks of requests as one."""
    parts = [(one.ids, one.scores, one.work) for one in answers]
    ids, scores, work = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Answer(ids, scores, work)
