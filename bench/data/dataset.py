"""A prepared data set: interactions, catalog and profiles over memory-mapped Arrow files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Progress
from bench.data.cards import Card
from bench.data.tables import Catalog, Features, Interactions


@dataclass(frozen=True, slots=True)
class Dataset:
    """Interactions, catalog and user profiles under one fingerprint; ids are the data set's own, compact from 0.

    Raw ids are sorted numerically when all are integers, else as text. fingerprint: sha256 (hex) over the prepared
    content and the rules of its preparation, whatever form the source had. time: what the timestamps mean: "seconds",
    "periods" (coarse), "order" (no timestamps, but each user's rows are in order) or "none" (no order at all).
    profiles: one row a user, every user has an interaction. described bool [items]: the item has a row in the item
    file. label: the text feature that names an item. dropped: rows left out, by reason. preferences: {"target":
    "module:Class", "parameters": {...}} where a simulator knows the truth.
    """

    name: str
    title: str
    card: Card
    fingerprint: str
    interactions: Interactions
    catalog: Catalog
    profiles: Features
    user_ids: Sequence[str]
    item_ids: Sequence[str]
    described: NDArray[np.bool_]
    label: str | None = None
    behaviours: tuple[str, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    time: str = "seconds"
    ties: str = "hash"
    preferences: Mapping[str, Any] | None = None

    @property
    def users(self) -> int:
        """Number of users, each with at least one interaction."""
        return len(self.user_ids)


def load_dataset(
    name: str, *, cache: Path, data_root: Path | None, ties: str = "hash", progress: Progress | None = None
) -> Dataset:
    """The data set `name` ("movielens-1m", "synthetic:items=1000,seed=3", "path/to/card.toml"), prepared when needed."""
    raise NotImplementedError


def load_file(
    path: Path, columns: Mapping[str, str] | None, *, cache: Path, ties: str = "hash"
) -> tuple[Dataset, str]:
    """The data set in a file without a card, and a sentence that says which columns were taken for what."""
    raise NotImplementedError
