"""What the methods that learn vectors of requests and items do in each phase."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Evaluation, Requests, TrainingData, hookimpl
from bench_neural.checkpoint import apart
from bench_neural.encoders import ItemBias, ItemEncoder, ProfileEncoder
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.geometry import alignment, uniformity
from bench_neural.negatives import NegativeSampler
from bench_neural.storage import load_encoders, load_weights, save_encoders, save_weights
from bench_neural.training import fit, scheduled, shared_out
from bench_neural.validation import some_of, validation_recall
from bench_neural.windows import Windows, later_share
from bench_vector.backends import Backend, Vectors, search
from bench_vector.hard import HardNegatives
from bench_vector.objective import Objective
from bench_vector.parameters import VectorParameters, range_temperature
from bench_vector.tower import Items, Towers

VECTORS = 2_000  # by which alignment and uniformity are told


@dataclass
class VectorMethod(VectorParameters):
    """Towers that are trained, an index over the items' vectors, and a search for the requests'; a method is a subclass
    that makes the towers."""

    work_unit: ClassVar[str] = "items scored"

    towers_: Towers = field(init=False, repr=False)
    items_: Items = field(init=False, repr=False)  # of the query catalog
    index_: Backend = field(init=False, repr=False)

    @abstractmethod
    def fresh_towers(self, items: ItemEncoder, profiles: ProfileEncoder, bias: ItemBias | None) -> Towers:
        """Untrained towers."""

    @property
    def moments_learnt(self) -> int:
        """Moments of a window that are learnt from, 0 for all."""
        return 0

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        counts = np.bincount(data.interactions.items, minlength=data.catalog.size)
        validation = some_of(data.validation, context.rng)
        later = later_share(self.later, validation.targets)
        model, users = self.settled(), len(data.interactions.by_user)
        with seeded(context.seed) as generator:
            items = ItemEncoder(data.catalog, counts > 0, self.dim, self.id_dropout, id_scale=self.id_scale)
            profiles = ProfileEncoder(data.profiles, self.dim)
            self.towers_ = self._towers(items, profiles, counts).to(device_of(context))
            self.towers_.users.bind(data.profiles, users)
            windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
            sampler = NegativeSampler(counts, generator, self.power, self.uniform, context.device)
            frequency = NegativeSampler(counts, generator, 1.0, 0.0, context.device)
            hard = None
            if model.hard:
                hard = HardNegatives(users, model.hard, self.hard_from, self.hard_to).to(context.device)
            aims = self.aims(counts, later, self.moments_learnt)

            def validate() -> float:
                if hard is not None:
                    hard.mine(self.towers_, windows)
                return self._validate(validation)

            losses = [aims.loss] + ([model.then] if model.then else [])
            for turn, schedule in enumerate(shared_out(scheduled(self, counts), len(losses))):
                objective = Objective(
                    self.towers_, dataclasses.replace(aims, loss=losses[turn]), sampler, frequency, hard
                )
                turned = apart(context, turn) if len(losses) > 1 else context
                fit(self.towers_, windows, objective, validate, schedule, turned, generators=[generator])
                objective.learnt()
        with torch.inference_mode():
            self._told(validation, context)

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.towers_.encoder.bind(catalog)
        with torch.inference_mode():
            self.items_ = self.towers_.catalog_items()
        ids = catalog.candidates()
        self.index_ = self.built(self._vectors(ids), ids, context.seed)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        use_threads(context.threads)
        return search(self.index_, self._users(requests), requests, k, self.effort(), context.threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        scores: NDArray[np.float32] = (self._users(requests) @ self._vectors(items).T).max(1)  # (B, C)
        return scores

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            save_weights(folder / "weights.safetensors", self.towers_)
            save_encoders(folder, self.towers_.encoder, self.towers_.users.profiles)
        else:
            np.save(folder / "vectors.npy", self.items_.vectors.cpu().numpy(), allow_pickle=False)
            if not self.towers_.readable:
                np.save(folder / "embeddings.npy", self.items_.embeddings.cpu().numpy(), allow_pickle=False)
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
            vectors = torch.from_numpy(np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)).to(device)
            embeddings = vectors[:, : self.dim]
            if not self.towers_.readable:
                embeddings = torch.from_numpy(np.load(folder / "embeddings.npy", allow_pickle=False)).to(device)
            self.items_ = Items(embeddings, vectors)
            ids = np.load(folder / "ids.npy", allow_pickle=False)
            self.index_ = self.opened(self._vectors(ids), ids, folder)

    def _towers(self, items: ItemEncoder, profiles: ProfileEncoder, counts: NDArray[np.int64]) -> Towers:
        model = self.settled()
        bias = ItemBias(counts) if self.bias and model.similarity == "inner" else None
        towers = self.fresh_towers(items, profiles, bias)
        temperature = model.temperature if model.temperature > 0 else range_temperature(np.count_nonzero(counts))
        towers.divide_by(temperature, self.learn_temperature)
        return towers

    def _validate(self, validation: Evaluation) -> float:
        items = self.towers_.catalog_items()
        users = self.towers_.requests(validation.requests, items.embeddings)  # (B, K, D)
        return validation_recall(users[:, 0] if self.towers_.interests == 1 else users, items.vectors, validation)

    def _told(self, validation: Evaluation, context: Context) -> None:
        """Keep how the vectors lie, those of up to VECTORS requests, their first targets and as many items."""
        some = np.flatnonzero(validation.targets.lengths[:VECTORS])
        if len(some) < 2 or len(self.towers_.encoder.seen) < 2:
            return
        items = self.towers_.catalog_items()
        users = self.towers_.requests(validation.requests.take(some), items.embeddings)
        firsts = validation.targets.values[validation.targets.offsets[some]]
        wanted = items.vectors[torch.from_numpy(firsts.astype(np.int64))]
        users = self.towers_.focused(users, wanted)
        every = np.linspace(0, len(items.vectors) - 1, min(VECTORS, len(items.vectors))).astype(np.int64)
        lie = {
            "alignment": alignment(users, wanted),
            "uniformity of users": uniformity(users),
            "uniformity of items": uniformity(items.vectors[torch.from_numpy(every)]),
        }
        if self.learn_temperature:
            lie["temperature"] = float(self.towers_.log_temperature.exp())
        context.milestone("vectors", **lie)

    def _vectors(self, ids: NDArray[np.int32]) -> Vectors:
        """Vectors float32 [C, D] of items, as they are compared."""
        chosen = torch.from_numpy(np.asarray(ids, np.int64)).to(self.items_.vectors.device)
        return self.items_.vectors[chosen].cpu().numpy()

    def _users(self, requests: Requests) -> Vectors:
        """Vectors float32 [B, K, D] of requests, as they are compared."""
        with torch.inference_mode():
            return self.towers_.requests(requests, self.items_.embeddings).cpu().numpy()
