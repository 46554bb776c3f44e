"""Vectors for index-only tasks: what to search, what to ask, and the exact neighbours where they are known."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.context import Progress
from bench.data.cards import Card, Source, Table, find_card
from bench.data.sources import Located, find_table, verify
from bench.errors import DataError


@dataclass(frozen=True, slots=True)
class VectorSet:
    """train float32 [items, D] to search; test float32 [requests, D] to ask; neighbors int32 [requests, K], nearest
    first, or None; distance: "euclidean", "cosine" or "inner product"."""

    title: str
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    neighbors: NDArray[np.int32] | None
    distance: str


def load_vectors(name: str, *, cache: Path, data_root: Path | None, progress: Progress | None = None) -> VectorSet:
    """The vectors of a card that has some; raises DataError."""
    card = find_card(name)
    return read_vectors(card, located(card, cache=cache, data_root=data_root, progress=progress))


def located(card: Card, *, cache: Path, data_root: Path | None, progress: Progress | None = None) -> Located:
    """The file of a card with vectors, verified; raises DataError."""
    if card.vectors is None:
        raise DataError(f"{card.name} has no vectors: load it by bench.data.dataset.load_dataset")
    table = Table((Source(card.vectors.file, "npz", {}),))
    found = find_table(card, table, data_root=data_root, cache=cache, progress=progress)
    verify(card, found, cache)
    return found


def read_vectors(card: Card, found: Located) -> VectorSet:
    """What the located file holds; raises DataError."""
    said = card.vectors
    assert said is not None
    try:
        with np.load(found.path, allow_pickle=False) as arrays:
            train, test = (np.asarray(arrays[key], np.float32) for key in (said.train, said.test))
            neighbors = np.asarray(arrays[said.neighbors], np.int32) if said.neighbors else None
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DataError(f"{found.path} is damaged: {error}. Copy or download it again.") from error
    except KeyError as error:
        raise DataError(f"{found.path}: {error.args[0]}. Correct [vectors] in the card.") from error
    if train.shape[1] != test.shape[1]:
        raise DataError(f"{found.path}: {said.train} has {train.shape[1]} dimensions and {said.test} {test.shape[1]}.")
    return VectorSet(card.title, train, test, neighbors, said.distance)
