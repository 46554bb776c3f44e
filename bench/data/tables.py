"""Data as a method sees it: frozen dataclasses over (memory-mapped) arrays. Ids are compact int32 from 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged

Rows = slice | NDArray[np.integer[Any]]
KEY_STRIDE = 2**24  # more than any user's number of interactions


def users_of(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Who asks, int64 [B] (dataset ids), from the keys of requests: user * 2**24 + the user's interactions before."""
    return keys // KEY_STRIDE


def _ragged_rows(ragged: Ragged, rows: Rows) -> Ragged:
    return ragged[rows] if isinstance(rows, slice) else ragged.take(rows)


@dataclass(frozen=True, slots=True)
class Categorical:
    """One category a row: codes int32 [size], -1 where missing; names[code] is its text."""

    codes: NDArray[np.int32]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Rows) -> Categorical:
        return Categorical(self.codes[rows], self.names)


@dataclass(frozen=True, slots=True)
class MultiCategorical:
    """Any number of categories a row: codes Ragged of int32; names[code] is its text."""

    codes: Ragged
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: Rows) -> MultiCategorical:
        return MultiCategorical(_ragged_rows(self.codes, rows), self.names)


@dataclass(frozen=True, slots=True)
class Numeric:
    """One number a row: values float32 [size], NaN where missing."""

    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> Numeric:
        return Numeric(self.values[rows])


@dataclass(frozen=True, slots=True)
class Text:
    """One text a row: values [size] of str (an Arrow string column), "" where missing."""

    values: Sequence[str]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Rows) -> Text:
        picked = range(len(self))[rows] if isinstance(rows, slice) else rows
        return Text([str(self.values[int(row)]) for row in picked])


Feature = Categorical | MultiCategorical | Numeric | Text
Features = Mapping[str, Feature]


@dataclass(frozen=True, slots=True)
class Interactions:
    """Who met what, sorted by user, then time (equal times: by a fixed hash of the raw ids).

    users, items int32 [N]; timestamps int64 [N] seconds or None; ratings float32 [N] or None;
    behaviours int8 [N] (an index into the card's list: click, cart, buy ...) or None.
    by_user holds the items of each user as a Ragged over the same memory.
    """

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    by_user: Ragged
    timestamps: NDArray[np.int64] | None = None
    ratings: NDArray[np.float32] | None = None
    behaviours: NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The items that can be retrieved, ids 0 .. size - 1, and what is known of each.

    first_seen int64 [size] seconds, the moment an item appears, where the data set declares it; vectors float32
    [size, D] for index-only tasks, and distance, how they are compared: "euclidean", "cosine" or "inner product";
    eligible int32 [C], sorted: the only items that may be answered, None for all.
    The training catalog is a prefix of the query catalog: same ids, fewer rows.
    """

    size: int
    features: Features = field(default_factory=dict)
    first_seen: NDArray[np.int64] | None = None
    vectors: NDArray[np.float32] | None = None
    eligible: NDArray[np.int32] | None = None
    distance: str | None = None

    def candidates(self) -> NDArray[np.int32]:
        """The ids that may be answered, int32 [C], sorted."""
        return np.arange(self.size, dtype=np.int32) if self.eligible is None else self.eligible


@dataclass(frozen=True, slots=True)
class Requests:
    """B retrievals to answer.

    users int32 [B], -1 where the user was not seen in training; history Ragged of items, oldest first; history_times
    Ragged of int64 or None; times int64 [B] or None; profiles: a feature of B rows each; exclude Ragged of sorted ids
    that must not be answered; vectors float32 [B, D] for index-only tasks; keys int64 [B] name each request for good
    (`users_of` reads them).
    """

    keys: NDArray[np.int64]
    users: NDArray[np.int32]
    history: Ragged
    exclude: Ragged
    history_times: Ragged | None = None
    times: NDArray[np.int64] | None = None
    profiles: Features = field(default_factory=dict)
    vectors: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, at: slice) -> Requests:
        return self.take(at)

    def take(self, rows: Rows) -> Requests:
        """The given rows: views for a slice, copies for an array of row numbers."""
        return Requests(
            keys=self.keys[rows],
            users=self.users[rows],
            history=_ragged_rows(self.history, rows),
            exclude=_ragged_rows(self.exclude, rows),
            history_times=None if self.history_times is None else _ragged_rows(self.history_times, rows),
            times=None if self.times is None else self.times[rows],
            profiles={name: feature.take(rows) for name, feature in self.profiles.items()},
            vectors=None if self.vectors is None else self.vectors[rows],
        )


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Requests with the targets that each should find (Ragged of distinct items, one or more a request)."""

    requests: Requests
    targets: Ragged


@dataclass(frozen=True, slots=True)
class TrainingData:
    """All that `train` may see. profiles: a feature of one row a training user each."""

    interactions: Interactions
    catalog: Catalog
    validation: Evaluation
    profiles: Features = field(default_factory=dict)
