"""The two-tower method: one vector a request, one an item, and an index for the nearest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Evaluation, ParameterError, Requests, TrainingData, hookimpl, param
from bench_neural.encoders import ItemBias, ItemEncoder, ProfileEncoder
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.geometry import alignment, uniformity
from bench_neural.history import HISTORIES, history_of
from bench_neural.moments import FULL_SOFTMAX_ITEMS
from bench_neural.negatives import NegativeSampler
from bench_neural.storage import load_encoders, load_weights, save_encoders, save_weights
from bench_neural.training import fit, scheduled
from bench_neural.users import UserEncoder
from bench_neural.validation import some_of, validation_recall
from bench_neural.windows import Windows, later_share
from bench_vector.backends import Backend, search
from bench_vector.hard import HardNegatives
from bench_vector.indexed import Indexed
from bench_vector.tower import Aims, Objective, Towers

VECTORS = 2_000  # by which alignment and uniformity are told


@dataclass
class TwoTower(Indexed):
    """Two towers: a request's vector from its history and profile, an item's from its id and side information.

    The user tower is a causal transformer over the history (or a GRU, or its pooled mean), trained on every moment of
    random windows; the item tower adds the item's own embedding and those of its side information, so that an item
    which training never saw still has a vector. Compared by inner product, or cosine with `normalise`.
    Deep Structured Semantic Models (CIKM 2013) with the encoder of SASRec (ICDM 2018) and a softmax corrected by logQ
    as in Sampling-Bias-Corrected Neural Modeling (RecSys 2019). Departures: no user id enters; a share `later` of the
    targets is any later item of the window rather than the next, because requests may ask for more than the next item.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    encoder: str = param("attention", help="how a history becomes a vector", choices=HISTORIES)
    dim: int = param(64, help="length of the vectors", low=1, high=4096, sweep=(32, 64, 128))
    length: int = param(100, help="newest items of a history that are read", low=1, high=10_000)
    blocks: int = param(2, help="transformer blocks", low=1, high=64)
    heads: int = param(2, help="attention heads, a divisor of dim", low=1, high=64)
    dropout: float = param(
        0.2, help="share of activations dropped in training", low=0.0, high=0.9, sweep=(0.1, 0.2, 0.3)
    )
    id_dropout: float = param(0.02, help="share of item ids hidden in training, for new items' sake", low=0.0, high=1.0)
    id_scale: float = param(
        0.1,
        help="size of the items' own embeddings at first, so that side information speaks first",
        low=0.0,
        high=10.0,
    )
    bias: bool = param(True, help="add to each item's score one learnt number, at first by its frequency")
    later: float = param(
        -1.0,
        help="share of targets that are any later item, not the next one; -1: half where requests have several targets",
        low=-1.0,
        high=1.0,
    )
    loss: str = param(
        "softmax",
        help="softmax; bce: cross-entropy one by one, against one negative; gbce: against all that are drawn, "
        "calibrated; bpr: of differences; hinge: of differences up to `margin`",
        choices=("softmax", "bce", "gbce", "bpr", "hinge"),
    )
    against: str = param(
        "auto",
        help="what a target is contrasted with. catalog: all items (softmax); drawn: items drawn for a batch; batch: "
        "its own targets; mixed: both; auto: the catalog where loss=softmax and it has up to 5,000 items, else drawn",
        choices=("auto", "catalog", "drawn", "batch", "mixed"),
    )
    correction: str = param(
        "logq",
        help="of a softmax that is not over the catalog, for how often items come up. logq; revised: not of the "
        "target, which is never drawn; streaming: logq by a moving estimate (batch); none",
        choices=("logq", "revised", "streaming", "none"),
    )
    negatives: int = param(1000, help="items drawn for each batch by against=drawn and mixed", low=1, high=1_000_000)
    margin: float = param(0.5, help="of loss=hinge", low=0.0, high=1000.0)
    hard: int = param(
        0,
        help="hard negatives a user beside the drawn ones, anew after each epoch from the ranks of an exact search",
        low=0,
        high=10_000,
    )
    hard_from: int = param(101, help="first rank that hard negatives come from", low=1, high=1_000_000)
    hard_to: int = param(500, help="last rank that hard negatives come from", low=1, high=1_000_000)
    hard_weight: float = param(1.0, help="what a hard negative counts, in drawn ones", low=1e-6, high=1e6)
    calibration: float = param(0.75, help="of loss=gbce, its t: 0 none, 1 all", low=0.0, high=1.0)
    power: float = param(0.75, help="negatives are drawn by frequency to this power", low=0.0, high=1.0)
    uniform: float = param(0.1, help="share of negatives drawn evenly instead", low=0.0, high=1.0)
    normalise: bool = param(False, help="compare by cosine: vectors of length 1 in the loss and in the index")
    temperature: float = param(
        0.0, help="scores are divided by it in the loss; 0: 1, or 0.07 with normalise", low=0.0, high=100.0
    )
    learn_temperature: bool = param(False, help="learn the temperature, from there on")
    learning_rate: float = param(
        3e-3,
        help="AdamW's step size at first; it falls to a twentieth",
        low=1e-6,
        high=1.0,
        log=True,
        sweep=(1e-3, 3e-3, 1e-2),
    )
    weight_decay: float = param(0.0, help="AdamW's weight decay", low=0.0, high=1.0)
    batch: int = param(64, help="windows a batch", low=1, high=100_000)
    epochs: int = param(
        0, help="passes over the training data; 0: one for eight interactions an item, 3 to 20", low=0, high=10_000
    )
    patience: int = param(4, help="epochs without a better validation recall@50 before it stops", low=1, high=10_000)
    seconds: float = param(400.0, help="training begins no batch after so long; 0: no limit", low=0.0, high=1e7)

    towers_: Towers = field(init=False, repr=False)
    items_: torch.Tensor = field(init=False, repr=False)  # (N, D): the item tower's vectors of the query catalog
    index_: Backend = field(init=False, repr=False)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        validation = some_of(data.validation, context.rng)
        later = later_share(self.later, validation.targets)
        with seeded(context.seed) as generator:
            items = ItemEncoder(data.catalog, counts > 0, self.dim, self.id_dropout, id_scale=self.id_scale)
            profiles = ProfileEncoder(data.profiles, self.dim)
            self.towers_ = self._towers(items, profiles, counts).to(device_of(context))
            self.towers_.users.bind(data.profiles, len(data.interactions.by_user))
            windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = NegativeSampler(counts, generator, self.power, self.uniform, context.device)
            frequency = NegativeSampler(counts, generator, 1.0, 0.0, context.device)
            users = len(data.interactions.by_user)
            mined = HardNegatives(users, self.hard, self.hard_from, self.hard_to)
            hard = mined.to(context.device) if self.hard else None
            objective = Objective(self.towers_, self._aims(counts, later), sampler, frequency, hard)
            schedule = scheduled(self, counts)

            def validate() -> float:
                if hard is not None:
                    hard.mine(self.towers_, windows)
                return self._validate(validation)

            fit(
                self.towers_,
                windows,
                objective,
                validate,
                schedule,
                context,
                generators=[generator],
            )
            objective.learnt()
        with torch.inference_mode():
            self._told(validation, context)

    def __post_init__(self) -> None:
        """Raises ParameterError where parameters do not go with one another."""
        super().__post_init__()
        if self.against == "catalog" and self.loss != "softmax":
            raise ParameterError(f"against=catalog is a softmax: leave it out, or loss={self.loss}")
        if self.hard and self.hard_from > self.hard_to:
            raise ParameterError(f"hard_from={self.hard_from} is after hard_to={self.hard_to}")
        if self.hard and self.against == "catalog":
            raise ParameterError("against=catalog contrasts with every item: leave out hard, or name another")
        if self.correction == "streaming" and self.against != "batch":
            raise ParameterError("correction=streaming estimates how often items are in a batch: add against=batch")

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.towers_.encoder.bind(catalog)
        with torch.inference_mode():
            self.items_ = self.towers_.items()
        ids = catalog.candidates()
        vectors = self._vectors(ids)
        self.index_ = self.built(vectors, ids, context.seed)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        use_threads(context.threads)
        return search(self.index_, self._users(requests), requests, k, self.effort(), context.threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        scores: NDArray[np.float32] = self._users(requests) @ self._vectors(items).T  # (B, C)
        return scores

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            save_weights(folder / "weights.safetensors", self.towers_)
            save_encoders(folder, self.towers_.encoder, self.towers_.users.profiles)
        else:
            np.save(folder / "items.npy", self.items_.cpu().numpy(), allow_pickle=False)
            np.save(folder / "ids.npy", self.index_.ids, allow_pickle=False)
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        device = device_of(context)
        if phase == "train":
            items, profiles = load_encoders(folder, self.dim, self.id_dropout)
            self.towers_ = self._towers(items, profiles, items.seen.astype(np.int64))
            load_weights(folder / "weights.safetensors", self.towers_)
            self.towers_.to(device).eval()
        else:
            self.items_ = torch.from_numpy(np.load(folder / "items.npy", allow_pickle=False)).to(device)
            ids = np.load(folder / "ids.npy", allow_pickle=False)
            self.index_ = self.opened(self._vectors(ids), ids, folder)

    def _towers(self, items: ItemEncoder, profiles: ProfileEncoder, counts: NDArray[np.int64]) -> Towers:
        history = history_of(self.encoder, self.dim, self.length, self.blocks, self.heads, self.dropout)
        users = UserEncoder(profiles, history, self.dim, self.length)
        bias = ItemBias(counts) if self.bias and not self.normalise else None
        temperature = self.temperature or (0.07 if self.normalise else 1.0)
        return Towers(items, users, bias, self.normalise, temperature, self.learn_temperature)

    def _aims(self, counts: NDArray[np.int64], later: float) -> Aims:
        against = self.against
        if against == "auto":
            small = np.count_nonzero(counts) <= FULL_SOFTMAX_ITEMS
            against = "catalog" if small and self.loss == "softmax" and not self.hard else "drawn"
        return Aims(
            self.loss,
            against,
            self.correction,
            self.negatives,
            later,
            self.margin,
            self.calibration,
            self.hard_weight,
        )

    def _validate(self, validation: Evaluation) -> float:
        items = self.towers_.items()
        users = self.towers_.requests(validation.requests, items)
        return validation_recall(users, self.towers_.comparable(items), validation)

    def _told(self, validation: Evaluation, context: Context) -> None:
        """Keep how the vectors lie, those of up to VECTORS requests, their first targets and as many items."""
        some = np.flatnonzero(validation.targets.lengths[:VECTORS])
        if len(some) < 2 or len(self.towers_.encoder.seen) < 2:
            return
        items = self.towers_.items()
        users = self.towers_.requests(validation.requests.take(some), items)
        firsts = validation.targets.values[validation.targets.offsets[some]]
        vectors = self.towers_.comparable(items)
        every = np.linspace(0, len(vectors) - 1, min(VECTORS, len(vectors))).astype(np.int64)
        lie = {
            "alignment": alignment(users, vectors[torch.from_numpy(firsts.astype(np.int64))]),
            "uniformity of users": uniformity(users),
            "uniformity of items": uniformity(vectors[torch.from_numpy(every)]),
        }
        if self.learn_temperature:
            lie["temperature"] = float(self.towers_.log_temperature.exp())
        context.milestone("vectors", **lie)

    def _vectors(self, ids: NDArray[np.int32]) -> NDArray[np.float32]:
        """Comparable vectors float32 [C, D] of items."""
        with torch.inference_mode():
            chosen = self.items_[torch.from_numpy(np.asarray(ids, np.int64)).to(self.items_.device)]
            return self.towers_.comparable(chosen).cpu().numpy()

    def _users(self, requests: Requests) -> NDArray[np.float32]:
        """Comparable vectors float32 [B, D] of requests."""
        with torch.inference_mode():
            return self.towers_.requests(requests, self.items_).cpu().numpy()
