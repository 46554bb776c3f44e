"""What the synthetic users want next, known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import Requests
from bench_datasets.synthetic_random import ONE
from bench_datasets.synthetic_users import leads, relive
from bench_datasets.synthetic_world import item_ids, make_world, read_parameters


class Preferences:
    """The true preferences behind a task of the synthetic set.

    parameters: those of `generate`; items int64 [task items]: the data set's id of each task item.
    """

    def __init__(self, parameters: Mapping[str, Any], items: NDArray[np.int64]) -> None:
        settings = read_parameters(parameters)
        self._world = world = make_world(settings)
        position_of = np.empty(settings.items, np.int32)
        position_of[item_ids(settings)] = np.arange(settings.items, dtype=np.int32)
        self._position = position_of[items]  # (C,)
        self._column = np.full(settings.items, -1, np.int32)
        self._column[self._position] = np.arange(len(items), dtype=np.int32)
        self._category = np.searchsorted(world.category_start, self._position, side="right").astype(np.int32) - 1
        rank = self._position - world.category_start[self._category]
        size = np.diff(world.category_start)[self._category]
        self._share = np.diff(world.rank_weight)[rank] / world.rank_weight[size]  # (C,) of the category's choices
        self._first_seen = world.first_seen[self._position]  # (C,)
        popularity = np.diff(world.category_weight) / world.category_weight[-1]
        self._browsed = world.browsing / ONE * popularity  # (categories,)

    def scores(self, requests: Requests) -> NDArray[np.float32]:
        """The chance of each item to be chosen next, up to one factor a request: float32 [B, task items].

        An item that has not appeared yet and an item of the history score 0. The moment is that of the user's next
        choice after those that the request's key counts, whatever `requests.times` says.
        """
        world, history = self._world, requests.history
        moments, categories, chances = relive(world, np.array(requests.keys, np.int64))
        positions, steps = leads(world, np.array(history.offsets, np.int64), self._position[history.values])
        browsing = world.browsing / ONE
        led = np.where(history.lengths > 0, min(world.relatedness / ONE, 1.0 - browsing), 0.0)  # (B,)
        chances *= (1.0 - browsing - led)[:, None]  # (B, interests)
        steps *= led[:, None]  # (B, leads)
        scores = np.empty((len(requests), len(self._position)), np.float32)
        _combine(moments, categories, chances, self._browsed, self._category, self._share, self._first_seen, scores)
        row, at = np.nonzero(positions >= 0)
        position, step = positions[row, at], steps[row, at]
        column = self._column[position]
        there = (column >= 0) & (world.first_seen[position] <= moments[row])
        np.add.at(scores, (row[there], column[there]), step[there].astype(np.float32))
        scores[history.rows(), history.values] = 0.0
        return scores


@njit(cache=True, nogil=True)
def _combine(
    moments: Any, categories: Any, chances: Any, browsed: Any, category: Any, share: Any, first_seen: Any, scores: Any
) -> None:
    """Fill scores [B, C] with the chances by browsing and by interest."""
    for row in range(len(scores)):
        mass = browsed.copy()
        for slot in range(chances.shape[1]):
            mass[categories[row, slot]] += chances[row, slot]
        for at in range(len(category)):
            scores[row, at] = mass[category[at]] * share[at] if first_seen[at] <= moments[row] else 0.0
