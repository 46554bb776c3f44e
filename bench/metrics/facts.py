"""What the metrics need to know of a task beside answers and targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.tables import Requests, users_of
from bench.metrics.accuracy import Over


@dataclass(frozen=True, slots=True)
class Facts:
    """A task as its metrics see it.

    popularity int64 [items]: training interactions of each item; first_seen int64 [items], seconds, or None where
    nothing tells; training_items: the first so many items are known in training; history: each request's items, a
    Ragged of B rows, and history_lengths int64 [B]; request_times int64 [B], seconds, or None; catalog_size: how many
    items may be answered; seen: what becomes of items in the history; recall_over: what recall is divided by.
    requests: handed to the metrics of plugins; None where there is none.
    """

    popularity: NDArray[np.int64]
    first_seen: NDArray[np.int64] | None
    training_items: int
    history_lengths: NDArray[np.int64]
    request_times: NDArray[np.int64] | None
    seen: Literal["filtered", "answered"]
    recall_over: Over
    history: Ragged
    catalog_size: int
    requests: Requests | None = None

    @property
    def users(self) -> NDArray[np.int64] | None:
        """Who asks, int64 [B]; None where there are no requests to tell it."""
        return None if self.requests is None else users_of(self.requests.keys)

    def take(self, rows: NDArray[np.integer[Any]]) -> Facts:
        """The same task with the given requests alone."""
        return replace(
            self,
            history_lengths=self.history_lengths[rows],
            request_times=None if self.request_times is None else self.request_times[rows],
            history=self.history.take(rows),
            requests=None if self.requests is None else self.requests.take(rows),
        )
