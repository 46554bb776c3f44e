"""The most popular items, alike for every request."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Ragged, Requests, TrainingData, Unavailable, hookimpl, param
from bench_baselines.blocks import answer_in_blocks

SECONDS_PER_DAY = 86_400


@dataclass
class Popularity:
    """Answers with the items of the most training interactions, recent ones weighing more where a half-life is set.

    An interaction of age a days (before the last one in training) counts 2^(-a / half_life). Excluded items are
    stepped over, so each request gets the k best of what is left. Equal counts keep the order of ids; items without
    an interaction come last.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items looked at"

    half_life: float = param(
        0.0,
        help="days after which an interaction counts half; 0: all count the same",
        low=0,
        high=100_000,
        sweep=(0, 7, 30, 90, 365),
    )

    counts_: NDArray[np.float32] = field(init=False, repr=False)  # [training items]
    scores_: NDArray[np.float32] = field(init=False, repr=False)  # [items]
    ranking_: NDArray[np.int32] = field(init=False, repr=False)  # [candidates], best first
    rank_: NDArray[np.int64] = field(init=False, repr=False)  # [items], the place in ranking_; past its end: none

    @hookimpl
    def train(self, data: TrainingData) -> None:
        weights = self._weights(data.interactions.timestamps)
        counts = np.bincount(data.interactions.items, weights, minlength=data.catalog.size)
        self.counts_ = counts.astype(np.float32)

    @hookimpl
    def index(self, catalog: Catalog) -> None:
        self.scores_ = np.zeros(catalog.size, np.float32)
        self.scores_[: len(self.counts_)] = self.counts_
        candidates = catalog.candidates()
        self._rank(candidates[np.argsort(-self.scores_[candidates], kind="stable")])

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        widest = int(requests.exclude.lengths.max(initial=0))
        width = min(k + widest, len(self.ranking_))
        return answer_in_blocks(requests, width, context.threads, lambda block: self._walk(block.exclude, k, width))

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32]) -> NDArray[np.float32]:
        return np.tile(self.scores_[items], (len(requests), 1))

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            np.save(folder / "counts.npy", self.counts_)
        else:
            np.save(folder / "scores.npy", self.scores_)
            np.save(folder / "ranking.npy", self.ranking_)

    @hookimpl
    def load(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.counts_ = np.load(folder / "counts.npy", allow_pickle=False)
        else:
            self.scores_ = np.load(folder / "scores.npy", allow_pickle=False)
            self._rank(np.load(folder / "ranking.npy", allow_pickle=False))

    def _weights(self, timestamps: NDArray[np.int64] | None) -> NDArray[np.float64] | None:
        """What each interaction counts, float64 [N]; None: one."""
        if not self.half_life:
            return None
        if timestamps is None:
            raise Unavailable("popularity: half_life needs timestamps and this data set has none; set half_life=0")
        age_days = (timestamps.max(initial=0) - timestamps) / SECONDS_PER_DAY
        return np.exp2(-age_days / self.half_life)

    def _rank(self, ranking: NDArray[np.int32]) -> None:
        self.ranking_ = ranking
        self.rank_ = np.full(len(self.scores_), len(ranking), np.int64)
        self.rank_[ranking] = np.arange(len(ranking))

    def _walk(self, exclude: Ragged, k: int, width: int) -> Answer:
        """The first k of the ranking that are not excluded, found among its first `width`."""
        open_ = np.ones((len(exclude), width), bool)  # (B, width)
        places = self.rank_[exclude.values]
        near = places < width
        open_[exclude.rows()[near], places[near]] = False
        count = np.cumsum(open_, axis=1, dtype=np.int32)  # (B, width)
        row, place = np.nonzero(open_ & (count <= k))
        column = count[row, place] - 1
        ids = np.full((len(exclude), k), -1, np.int32)
        ids[row, column] = self.ranking_[place]
        scores = np.full((len(exclude), k), -np.inf, np.float32)
        scores[row, column] = self.scores_[ids[row, column]]
        work = np.minimum((count < k).sum(axis=1) + 1, width).astype(np.int32)
        return Answer(ids, scores, work)
