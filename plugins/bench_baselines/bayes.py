"""The bound: what a simulator's own preferences would answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Catalog, Context, Requests, Unavailable, hookimpl
from bench_baselines.blocks import CELLS_PER_BLOCK, answer_in_blocks


class Truth(Protocol):
    """A simulator's preferences: each item's chance to be the next, float32 [B, items], up to a factor a row."""

    def scores(self, requests: Requests) -> NDArray[np.float32]: ...


@dataclass
class Bayes:
    """The simulator's true preferences: the best recall that any method can reach on synthetic data.

    The bound is exact where a request has one target, the user's next item (`next-item`); with several targets the
    order is the simulator's own at the moment of the request. Only data sets that know their truth can be answered.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    catalog_: Catalog | None = field(init=False, repr=False, default=None)
    truth_: Truth | None = field(init=False, repr=False, default=None)

    @hookimpl
    def train(self) -> None:
        """Nothing to learn."""

    @hookimpl
    def index(self, catalog: Catalog) -> None:
        self.catalog_ = catalog

    @hookimpl
    def reveal(self, preferences: Any) -> None:
        self.truth_ = preferences

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        assert self.catalog_ is not None, "`index` comes before `query`"
        candidates = self.catalog_.candidates()  # (C,)

        def answer(part: Requests) -> Answer:
            chances = self._known(part)[:, candidates]  # (b, C)
            work = np.full(len(part), len(candidates), np.int32)
            return Answer.top(candidates, np.where(chances > 0, chances, -np.inf), k, part.exclude, work)

        return answer_in_blocks(requests, self.catalog_.size, context.threads, answer)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32]) -> NDArray[np.float32]:
        assert self.catalog_ is not None, "`index` comes before `score`"
        scores = np.empty((len(requests), len(items)), np.float32)
        step = max(1, CELLS_PER_BLOCK // self.catalog_.size)
        for first in range(0, len(requests), step):
            scores[first : first + step] = self._known(requests[first : first + step])[:, items]
        return scores

    def _known(self, requests: Requests) -> NDArray[np.float32]:
        if self.truth_ is None:
            raise Unavailable(
                "bayes needs the true preferences of a simulator, and this data set has none: run it on `synthetic`, "
                "or leave it out"
            )
        return self.truth_.scores(requests)
