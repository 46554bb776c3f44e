"""Which group an item or a request belongs to, for metrics told apart by group."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

POPULARITY_GROUPS = ("head", "torso", "tail")

# Interactions in the history of a request, both bounds included.
HISTORY_GROUPS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"short": (0, 10), "medium": (11, 50), "long": (51, int(np.iinfo(np.int64).max))}
)

TRAINING_GROUPS = ("warm", "cold", "new")

FRESH_SHARE = 0.1  # of the time that the training interactions span


def popularity_groups(popularity: NDArray[np.int64]) -> NDArray[np.int8]:
    """0 (head), 1 (torso) or 2 (tail) for each item: int64 [items] training interactions -> int8 [items].

    With the items in order of popularity (equal ones by id), the head is the shortest part that holds a third of the
    training interactions, the torso reaches on to two thirds, and the tail is the rest, items without any included.
    """
    order = np.argsort(-popularity, kind="stable")
    ordered = popularity[order]
    before = np.cumsum(ordered) - ordered  # interactions of all items ahead
    total = int(popularity.sum())
    group = (3 * before >= total).astype(np.int8) + (3 * before >= 2 * total).astype(np.int8)
    groups = np.empty(len(popularity), np.int8)
    groups[order] = np.where(ordered == 0, np.int8(2), group)
    return groups


def popularity_percentiles(popularity: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of items that are less popular, equal ones counted half: int64 [items] -> float64 [items] in 0..1."""
    ordered = np.sort(popularity)
    less = np.searchsorted(ordered, popularity, side="left")
    not_more = np.searchsorted(ordered, popularity, side="right")
    return (less + not_more) / (2.0 * max(len(popularity), 1))


def training_groups(popularity: NDArray[np.int64], training_items: int) -> dict[str, NDArray[np.bool_]]:
    """What training knew of each item, bool [items] each: "warm" with a training interaction, "cold" without one, "new"
    beyond the training catalog, which is the first `training_items` items. popularity int64 [items]."""
    warm = popularity > 0
    return {"warm": warm, "cold": ~warm, "new": np.arange(len(popularity)) >= training_items}


def fresh_items(popularity: NDArray[np.int64], first_seen: NDArray[np.int64] | None) -> NDArray[np.bool_]:
    """Items that training met late or never: bool [items].

    An item is fresh if it has no training interaction, or if first_seen (int64 [items], seconds, read only for items
    with one) lies in the last tenth of the time between the earliest and the latest first_seen.
    """
    met = popularity > 0
    fresh = ~met
    if first_seen is not None and met.any():
        start, end = int(first_seen[met].min()), int(first_seen[met].max())
        fresh |= met & (first_seen > end - FRESH_SHARE * (end - start))
    return fresh
