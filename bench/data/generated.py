"""What a generator of data hands over: the catalog at once, the interactions in bounded batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.tables import Catalog, Features

Batch = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Generated:
    """A generated data set: `generate(parameters: dict[str, int | float | str]) -> Generated`.

    items: the whole catalog, with features and first_seen; profiles: a feature of `users` rows each; users: their
    number, ids 0 .. users - 1, each with at least one interaction. batches: (users int32 [n], items int32 [n],
    timestamps int64 [n] seconds), over all batches sorted by user, then time; consumed once, so a generator function's
    memory need not grow with the interactions. label: the Text feature that names an item for people. preferences:
    "module:Class" whose `Class(parameters, items)` knows the true choice probabilities, None where nothing does.
    """

    items: Catalog
    profiles: Features
    users: int
    batches: Iterator[Batch]
    preferences: str | None = None
    label: str | None = None
