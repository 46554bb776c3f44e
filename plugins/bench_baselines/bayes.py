"""The bound: what a simulator's own preferences would answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from bench import Answer, Catalog, Requests, Unavailable, hookimpl

CELLS = 1 << 24  # scores held at a time: requests x items


class Truth(Protocol):
    """A simulator's preferences: each item's chance to be the next, float32 [B, items], up to a factor a row."""

    def scores(self, requests: Requests) -> NDArray[np.float32]: ...


@dataclass
class Bayes:
    """Answers with the simulator's true preferences: the best recall that any method can reach.

    The bound is exact where a request has one target, the user's next item (`next-item`); with several targets the
    order is the simulator's own at the moment of the request. Only data sets that know their truth can be answered.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    truth_: Truth | None = field(init=False, repr=False, default=None)
    candidates_: NDArray[np.int32] | None = field(init=False, repr=False, default=None)

    @hookimpl
    def train(self) -> None:
        """Nothing to learn."""

    @hookimpl
    def index(self, catalog: Catalog) -> None:
        self.candidates_ = catalog.candidates()

    @hookimpl
    def reveal(self, preferences: Any) -> None:
        self.truth_ = preferences

    @hookimpl
    def query(self, requests: Requests, k: int) -> Answer:
        if self.candidates_ is None:
            raise Unavailable("bayes has no catalog yet: `index` comes before `query`")
        candidates = self.candidates_  # (C,)
        ids = np.full((len(requests), k), -1, np.int32)
        scores = np.full((len(requests), k), -np.inf, np.float32)
        for rows in _blocks(len(requests), len(candidates)):
            part = requests[rows]
            chances = self._known(part)[:, candidates]  # (b, C)
            best = Answer.top(candidates, np.where(chances > 0, chances, -np.inf), k, part.exclude)
            ids[rows], scores[rows] = best.ids, best.scores
        return Answer(ids, scores, np.full(len(requests), len(candidates), np.int32))

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32]) -> NDArray[np.float32]:
        return self._known(requests)[:, items]

    def _known(self, requests: Requests) -> NDArray[np.float32]:
        if self.truth_ is None:
            raise Unavailable(
                "bayes needs the true preferences of a simulator, and this data set has none: run it on `synthetic`, "
                "or leave it out"
            )
        return self.truth_.scores(requests)


def _blocks(rows: int, width: int) -> list[slice]:
    step = max(1, CELLS // max(1, width))
    return [slice(first, min(rows, first + step)) for first in range(0, rows, step)]
