"""MIND and ComiRec: a request asks with several vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, ParameterError, Requests, hookimpl, param
from bench_neural.encoders import ItemBias, ItemEncoder, ProfileEncoder
from bench_neural.execution import use_threads
from bench_neural.users import UserEncoder
from bench_vector.backends import search
from bench_vector.diversity import diverse
from bench_vector.interests import DynamicRouting, Extractor, InterestTowers, SelfAttention
from bench_vector.method import VectorMethod
from bench_vector.tower import Towers

POOL = 4  # times as many candidates as answers, among which diversity chooses


@dataclass
class MultiInterest(VectorMethod):
    """Several vectors a request, from the items met alone, and their exact or approximate neighbours merged."""

    work_unit: ClassVar[str] = "vectors compared"

    interests: int = param(4, help="vectors a request", low=1, high=64, sweep=(2, 4, 8))
    moments: int = param(16, help="moments of a window that are learnt from", low=1, high=10_000)
    rounds: int = param(3, help="of dynamic routing", low=1, high=100)

    @property
    def moments_learnt(self) -> int:
        return self.moments


@dataclass
class Mind(MultiInterest):
    """Multi-Interest Network with Dynamic Routing for Recommendation at Tmall (MIND, CIKM 2019).

    Capsules that share one map gather the behaviours; with the profile they go through a layer each; a target teaches
    the interests by how well they fit it (label-aware attention). Departures: see interests.py; layers are added to
    the capsules rather than put in their place; all moments of a window share its items' vectors.
    """

    version: ClassVar[str] = "1"

    power: float = param(1.0, help="how much the interests that fit best learn from a target", low=0.0, high=100.0)
    adaptive: bool = param(True, help="a user of n behaviours has at most log2(n) interests")

    def fresh_towers(self, items: ItemEncoder, profiles: ProfileEncoder, bias: ItemBias | None) -> Towers:
        users = UserEncoder(profiles, None, self.dim, self.length)
        extractor = DynamicRouting(self.dim, self.length, self.interests, 1, self.rounds)
        return InterestTowers(
            items, users, bias, self.settled().similarity, extractor, adaptive=self.adaptive, power=self.power
        )


@dataclass
class ComiRec(MultiInterest):
    """Controllable Multi-Interest Framework for Recommendation (ComiRec, KDD 2020).

    The best interest alone learns from a target. With `diversity` the answer's items, all k of them, are chosen
    greedily for the sum of scores and of pairs of different categories (section 3.3), from four times as many
    candidates, and then put in the order of their scores; the category is the first feature that has names. The oracle
    is by score alone.
    """

    version: ClassVar[str] = "1"

    extractor: str = param(
        "attention",
        help="how behaviours become interests: an attention for each (ComiRec-SA), dynamic routing (ComiRec-DR)",
        choices=("attention", "routing"),
    )
    diversity: float = param(
        0.0, phase="query", help="what a pair of different categories in the answer is worth", low=0.0, high=1e6
    )

    categories_: NDArray[np.int32] = field(init=False, repr=False)  # (N,), 0: unknown

    @hookimpl
    def divide(self, shards: int) -> None:
        if self.diversity:
            raise ParameterError("diversity chooses the items of an answer for one another: leave it at 0")

    def fresh_towers(self, items: ItemEncoder, profiles: ProfileEncoder, bias: ItemBias | None) -> Towers:
        users = UserEncoder(profiles, None, self.dim, self.length)
        extractor: Extractor = SelfAttention(self.dim, self.length, self.interests)
        if self.extractor == "routing":
            extractor = DynamicRouting(self.dim, self.length, self.interests, self.interests, self.rounds)
        return InterestTowers(items, users, bias, self.settled().similarity, extractor)

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        super().index(catalog, context)
        encoder = self.towers_.encoder
        self.categories_ = encoder.categories(torch.arange(encoder.size, device=encoder.rows.device)).cpu().numpy()

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        if self.diversity and not self.categories_.any():
            context.log.warning("diversity=%s has no effect: no item has a category", self.diversity)
        if not self.diversity or not self.categories_.any():
            return super().query(requests, k, context)
        use_threads(context.threads)
        pool = min(POOL * k, len(self.index_.ids))
        found = search(self.index_, self._users(requests), requests, pool, self.effort(), context.threads)
        assert found.scores is not None
        kept = diverse(found.ids, found.scores, self.categories_[found.ids], min(k, pool), self.diversity)
        scores = np.where(kept, found.scores, np.float32(-np.inf))
        return Answer.top(np.where(kept, found.ids, -1), scores, k, work=found.work)

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        super().save(folder, phase)
        if phase == "index":
            np.save(folder / "categories.npy", self.categories_, allow_pickle=False)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        super().load(folder, phase, context)
        if phase == "index":
            self.categories_ = np.load(folder / "categories.npy", allow_pickle=False)
