"""Small made data with everything that a method may meet: what `bench.testing` checks a method on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.tables import (
    Catalog,
    Categorical,
    Evaluation,
    Features,
    Interactions,
    MultiCategorical,
    Numeric,
    Requests,
    Text,
    TrainingData,
)

DAY = 86_400
START = 1_000_000_000
ITEMS_PER_CLUSTER = 10
T = TypeVar("T")
INTERACTIONS_BITS = 24  # a request's key: user * 2^24 + interactions before it


@dataclass(frozen=True, slots=True)
class World:
    """Made data: what a method learns from, the catalog that it answers from, and the requests.

    The catalog holds items that training never saw (its last rows). All arrays are read-only, as they are in a run.
    """

    training: TrainingData
    catalog: Catalog
    requests: Requests


@dataclass(frozen=True, slots=True)
class Truth:
    """Preferences for methods that ask for a simulator's: a random, fixed one for each request key."""

    size: int

    def scores(self, requests: Requests) -> NDArray[np.float32]:
        """Float32 [B, size], positive."""
        rows = [np.random.default_rng(int(key)).random(self.size, np.float32) for key in requests.keys]
        return np.stack(rows) if rows else np.zeros((0, self.size), np.float32)


def make_world(*, users: int = 48, items: int = 60, new_items: int = 6, described: bool = True, seed: int = 0) -> World:
    """A few users who each like two clusters of items. described: with features, profiles, times and ratings.

    Among the requests are: an empty history, one of a single item, one of 300 with repetitions, one that holds an item
    newer than training, users known and unknown.
    """
    rng = np.random.default_rng(seed)
    histories = [_walk(rng, items, int(rng.integers(5, 30))) for _ in range(users)]
    by_user = Ragged.from_rows(histories)
    interactions = Interactions(
        users=by_user.rows().astype(np.int32),
        items=by_user.values,
        by_user=by_user,
        timestamps=_times(by_user).values if described else None,
        ratings=rng.integers(1, 6, len(by_user.values)).astype(np.float32) if described else None,
    )
    size = items + new_items
    catalog = Catalog(size, _item_features(rng, size) if described else {})
    trained = Catalog(items, {name: feature.take(slice(0, items)) for name, feature in catalog.features.items()})
    known = min(users, 8)
    special = [[], [0], _walk(rng, items, 300), [*_walk(rng, items, 5), size - 1], *histories[:known]]
    strangers = [_walk(rng, items, int(rng.integers(2, 20))) for _ in range(12)]
    numbers = [-1, -1, -1, -1, *range(known), *[-1] * len(strangers)]
    requests = _requests([*special, *strangers], numbers, users, described, rng)
    cut = Ragged.from_rows([row[: len(row) // 2] for row in strangers])
    rest = Ragged.from_rows([np.unique(row[len(row) // 2 :]) for row in strangers])
    validation = Evaluation(_requests(list(cut), [-1] * len(strangers), users, described, rng), rest)
    training = TrainingData(interactions, trained, validation, _profiles(rng, users) if described else {})
    return _frozen(World(training, catalog, requests))


def repeated(requests: Requests, times: int) -> Requests:
    """All requests, `times` over."""
    return _frozen(requests.take(np.tile(np.arange(len(requests)), times)))


def limited(catalog: Catalog, candidates: NDArray[np.int32]) -> Catalog:
    """`catalog` with only `candidates` (sorted) to be answered."""
    return _frozen(dataclasses.replace(catalog, eligible=candidates))


def _walk(rng: np.random.Generator, items: int, length: int) -> list[int]:
    """Items of one user: mostly from two clusters, popular ones (small ids of a cluster) more often."""
    clusters = max(1, items // ITEMS_PER_CLUSTER)
    liked = rng.choice(clusters, min(2, clusters), replace=False)
    cluster = np.where(rng.random(length) < 0.9, rng.choice(liked, length), rng.integers(0, clusters, length))
    within = np.minimum(rng.geometric(0.25, length) - 1, ITEMS_PER_CLUSTER - 1)
    return [int(item) for item in np.minimum(cluster * ITEMS_PER_CLUSTER + within, items - 1)]


def _times(rows: Ragged) -> Ragged:
    """A time for each value, non-decreasing within a row, now and then the same as the one before."""
    place = np.arange(len(rows.values)) - rows.offsets[:-1][rows.rows()]
    return Ragged(rows.offsets, START + place // 2 * DAY + rows.rows() % 7 * 3600)


def _requests(
    histories: list[Any], numbers: list[int], users: int, described: bool, rng: np.random.Generator
) -> Requests:
    history = Ragged.from_rows(histories)
    rows = np.arange(len(histories))
    return Requests(
        keys=((users + rows) << INTERACTIONS_BITS) + history.lengths,
        users=np.array(numbers, np.int32),
        history=history,
        exclude=Ragged.from_rows([np.unique(np.array(row, np.int32)) for row in histories]),
        history_times=_times(history) if described else None,
        times=np.full(len(rows), START + 400 * DAY) if described else None,
        profiles=_profiles(rng, len(rows)) if described else {},
    )


def _item_features(rng: np.random.Generator, size: int) -> Features:
    price = rng.gamma(2, 10, size).astype(np.float32)
    price[::9] = np.nan
    category = (np.arange(size) // ITEMS_PER_CLUSTER).astype(np.int32)
    category[5::11] = -1
    tags = Ragged.from_rows([rng.choice(7, count, replace=False) for count in rng.integers(0, 4, size)])
    return {
        "category": Categorical(category, [f"category {code}" for code in range(int(category.max()) + 1)] or ["none"]),
        "tags": MultiCategorical(tags, [f"tag {code}" for code in range(7)]),
        "price": Numeric(price),
        "title": Text(["" if item % 13 == 4 else f"item {item} of category {category[item]}" for item in range(size)]),
    }


def _profiles(rng: np.random.Generator, size: int) -> Features:
    age = rng.integers(-1, 4, size).astype(np.int32)
    return {"age": Categorical(age, ["<18", "18-34", "35-54", "55+"]), "income": Numeric(rng.random(size, np.float32))}


def _frozen(value: T) -> T:
    """`value` with each array inside made read-only, as memory-mapped data are."""
    if isinstance(value, np.ndarray):
        value.setflags(write=False)
    elif isinstance(value, dict):
        for one in value.values():
            _frozen(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _frozen(getattr(value, field.name))
    return value
