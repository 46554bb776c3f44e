"""What the synthetic users want next, known exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bench import Requests
from bench_datasets.synthetic_users import CLOCK, FOCUS, advance, begin, planned_length
from bench_datasets.synthetic_world import ONE, RECENT, RELATED, item_ids, make_world, read_parameters, related

KEY_SHIFT = 24  # requests.keys: user << 24 | number of the user's earlier interactions


class Preferences:
    """The true preferences behind a task of the synthetic set.

    parameters: those of `generate`; items int64 [task items]: the data set's id of each task item.
    """

    def __init__(self, parameters: Mapping[str, Any], items: NDArray[np.int64]) -> None:
        settings = read_parameters(parameters)
        self._world = make_world(settings)
        position_of = np.empty(settings.items, np.int32)
        position_of[item_ids(settings)] = np.arange(settings.items, dtype=np.int32)
        self._position = position_of[items]  # (C,)
        self._column = np.full(settings.items, -1, np.int32)
        self._column[self._position] = np.arange(len(items), dtype=np.int32)
        self._category, self._share = _places(self._world, self._position)  # (C,), (C,)

    def scores(self, requests: Requests) -> NDArray[np.float32]:
        """The chance of each item to be chosen next, up to one factor a request: float32 [B, task items].

        An item that has not appeared yet scores 0. Items chosen before keep the score that they would have if they
        could be chosen again: leave them out by `requests.exclude`. The moment is that of the user's next choice.
        """
        scores = np.empty((len(requests), len(self._position)), np.float32)
        history = requests.history
        _score(
            self._world,
            np.ascontiguousarray(requests.keys, np.int64),
            np.ascontiguousarray(history.offsets, np.int64),
            self._position[np.maximum(history.values, 0)],
            self._position,
            self._column,
            self._category,
            self._share,
            scores,
        )
        return scores


@njit(cache=True, nogil=True)
def _places(world: Any, positions: Any) -> Any:
    """The category int32 [C] of each position, and its share float64 [C] of what the category's users choose."""
    categories, shares = np.empty(len(positions), np.int32), np.empty(len(positions))
    for at, position in enumerate(positions):
        category = np.searchsorted(world.category_start, position, side="right") - 1
        low = world.category_start[category]
        rank, size = position - low, world.category_start[category + 1] - low
        categories[at] = category
        shares[at] = (world.rank_weight[rank + 1] - world.rank_weight[rank]) / world.rank_weight[size]
    return categories, shares


@njit(cache=True, nogil=True)
def _score(
    world: Any,
    keys: Any,
    offsets: Any,
    history: Any,
    positions: Any,
    column: Any,
    category: Any,
    share: Any,
    scores: Any,
) -> None:
    """Fill scores [B, C]. offsets [B + 1], history: positions of the requests' items, oldest first."""
    state, categories = np.zeros(3, np.int64), np.zeros(world.interests, np.int64)
    weights = np.zeros(world.interests, np.int64)
    mass = np.empty(len(world.category_start) - 1)
    for row in range(len(keys)):
        user, step = keys[row] >> KEY_SHIFT, keys[row] & ((1 << KEY_SHIFT) - 1)
        key = begin(world, user, planned_length(world, user), state, categories, weights)
        for lived in range(1, step + 1):
            advance(world, user, key, lived, state, categories, weights)
        known = min(RECENT, offsets[row + 1] - offsets[row])
        led = min(world.relatedness, ONE - world.browsing) if known > 0 else 0
        _category_mass(world, led, state[FOCUS], categories, weights, mass)
        for at in range(len(positions)):
            alive = world.first_seen[positions[at]] <= state[CLOCK]
            scores[row, at] = mass[category[at]] * share[at] if alive else 0.0
        whole = RELATED * ((1 << known) - 1)
        for back in range(known):
            chance = led / ONE * (1 << (known - 1 - back)) / whole
            for which in range(RELATED):
                position = related(world, history[offsets[row + 1] - 1 - back], which)
                if column[position] >= 0 and world.first_seen[position] <= state[CLOCK]:
                    scores[row, column[position]] += chance


@njit(cache=True, nogil=True)
def _category_mass(world: Any, led: Any, focus: Any, categories: Any, weights: Any, mass: Any) -> None:
    """Fill mass [C] with each category's chance to be chosen from, by browsing or by interest."""
    total = world.category_weight[-1]
    for category in range(len(mass)):
        weight = world.category_weight[category + 1] - world.category_weight[category]
        mass[category] = world.browsing / ONE * weight / total
    interested, kept, total = (ONE - world.browsing - led) / ONE, world.focus / ONE, weights.sum()
    for slot in range(len(categories)):
        by_weight = (1.0 - kept) * weights[slot] / total
        mass[categories[slot]] += interested * (by_weight + kept if slot == focus else by_weight)
