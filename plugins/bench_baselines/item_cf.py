"""Item-based collaborative filtering: the neighbours of what the history holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param
from bench_baselines.blocks import answer_in_blocks
from bench_baselines.neighbours import Neighbours, nearest_neighbours
from bench_baselines.prior import popularity_prior
from bench_baselines.walk import score_items, walk_neighbours


@dataclass
class ItemCF:
    """Item kNN: an item's score is the sum of its cosine similarities with the items of the history.

    Cosine on the binary user-item matrix, keeping for each item its `neighbours` most similar ones (B. Sarwar et al.,
    Item-Based Collaborative Filtering Recommendation Algorithms, WWW 2001; M. Deshpande and G. Karypis, TOIS 2004). A
    request costs the neighbours of its history, not the catalog. Departure: an item without a
    neighbour in the history scores -1 / (1 + its interactions), so the most popular of them follow.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "neighbours added up"

    neighbours: int = param(
        100, help="most similar items kept of each item", low=1, high=10_000, log=True, sweep=(20, 50, 100, 200, 500)
    )
    shrink: float = param(
        0.0,
        help="added to the cosine's denominator: larger trusts rare pairs less",
        low=0,
        high=1000,
        sweep=(0, 10, 100),
    )

    offsets_: NDArray[np.int64] = field(init=False, repr=False)  # [training items + 1]
    nearest_: NDArray[np.int32] = field(
        init=False, repr=False
    )  # [pairs] items that count item i among their neighbours
    similarities_: NDArray[np.float32] = field(init=False, repr=False)  # [pairs]
    counts_: NDArray[np.int64] = field(init=False, repr=False)  # [training items] interactions of each
    eligible_: NDArray[np.bool_] = field(init=False, repr=False)  # [items]
    prior_: NDArray[np.float32] = field(init=False, repr=False)  # [items] the score without a neighbour, negative
    ranking_: NDArray[np.int32] = field(init=False, repr=False)  # [candidates], most popular first

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size)
        self.offsets_, self.nearest_, self.similarities_ = nearest_neighbours(
            data.interactions.by_user, data.catalog.size, self.neighbours, self.shrink, context
        )

    @hookimpl
    def index(self, catalog: Catalog) -> None:
        self._aim(catalog.candidates(), catalog.size)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        def answer(block: Requests) -> Answer:
            return walk_neighbours(self._neighbours(), self.eligible_, self.prior_, self.ranking_, block, k)

        return answer_in_blocks(requests, k, context.threads, answer)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32]) -> NDArray[np.float32]:
        return score_items(self._neighbours(), self.prior_, requests, items)

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            np.save(folder / "offsets.npy", self.offsets_)
            np.save(folder / "nearest.npy", self.nearest_)
            np.save(folder / "similarities.npy", self.similarities_)
            np.save(folder / "counts.npy", self.counts_)
        else:
            np.save(folder / "candidates.npy", np.flatnonzero(self.eligible_))
            np.save(folder / "size.npy", len(self.eligible_))

    @hookimpl
    def load(self, folder: Path, phase: str) -> None:
        def read(name: str) -> NDArray[np.generic]:
            return np.load(folder / f"{name}.npy", allow_pickle=False)

        if phase == "train":
            self.offsets_, self.nearest_ = read("offsets"), read("nearest")
            self.similarities_, self.counts_ = read("similarities"), read("counts")
        else:
            self._aim(read("candidates"), int(read("size")))

    def _neighbours(self) -> Neighbours:
        return self.offsets_, self.nearest_, self.similarities_

    def _aim(self, candidates: NDArray[np.integer], size: int) -> None:
        """Answer with `candidates`, sorted ids in a catalog of `size`, from now on."""
        self.eligible_ = np.zeros(size, bool)
        self.eligible_[candidates] = True
        self.prior_ = popularity_prior(self.counts_, size)
        self.ranking_ = candidates[np.argsort(-self.prior_[candidates], kind="stable")].astype(np.int32)
