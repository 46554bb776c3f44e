"""Index-only tasks: vectors to search and vectors to ask, whose targets are their exact nearest neighbours."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.context import Progress
from bench.data.assembly import Assembly
from bench.data.cards import Card
from bench.data.conventions import Conventions
from bench.data.dataset import Dataset
from bench.data.evaluations import Asked
from bench.data.freezing import freeze
from bench.data.protocols import Nearest, Protocol, describe
from bench.data.ragged import Ragged
from bench.data.splits import Part, Split, shuffled
from bench.data.storage import built
from bench.data.sums import file_sum
from bench.data.tables import KEY_STRIDE, Catalog, Interactions
from bench.data.task import Task
from bench.data.thinning import thinned
from bench.data.vectors import VectorSet, located, read_vectors
from bench.errors import DataError, ProtocolError, UsageError

VERSION = "2"  # raised whenever the same files and rules would give other arrays
_CELLS = 1 << 25  # scores held at once


def prepare_vectors(
    card: Card,
    protocol: Protocol,
    conventions: Conventions,
    *,
    cache: Path,
    data_root: Path | None,
    eligible: Path | None = None,
    progress: Progress | None = None,
    share: float = 1.0,
    tasks: Path | None = None,
) -> Task:
    """The task of a card with vectors, built in the folder `cache` unless it is there.

    share: of the vectors to search, below 1 for a pilot; tasks: where the task is built, if elsewhere. Raises
    ProtocolError for any protocol but `nearest`, DataError for a damaged file, UsageError for eligible items, which
    vectors have no names for.
    """
    if not isinstance(protocol, Nearest):
        raise ProtocolError(f"{card.name} has vectors and no interactions: use --protocol nearest, or leave it out")
    if eligible is not None:
        raise UsageError(f"{card.name} has vectors without names: leave out --eligible")
    found = located(card, cache=cache, data_root=data_root, progress=progress)
    content = [file_sum(one.path) for one in found.values()]
    rules: list[object] = [
        VERSION,
        card.name,
        card.title,
        content,
        repr(card.vectors),
        describe(protocol),
        conventions.as_dict(),
    ]
    rules += [share] if share < 1 else []
    digest = hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest()

    def make(folder: Path) -> None:
        vectors = read_vectors(card, found)
        dataset = _dataset(card, vectors, digest)
        whole = assembled(dataset, vectors, protocol)
        freeze(folder, dataset, protocol, conventions, thinned(whole, share) if share < 1 else whole)

    task = Task.open(built((tasks or cache) / "tasks" / digest[:24], make))
    task.check()
    return task


def neighbours(vectors: VectorSet, asked: NDArray[np.int64], count: int) -> NDArray[np.int32]:
    """The nearest items int32 [B, count] of the requests asked int64 [B], nearest first: those of the file, or by
    comparing all, of equal ones the smaller number."""
    if vectors.neighbors is not None and vectors.neighbors.shape[1] >= count:
        return vectors.neighbors[asked, :count]
    items, queries = vectors.train, vectors.test[asked]
    if vectors.distance == "cosine":
        items, queries = unit(items), unit(queries)
    wide = items.astype(np.float64)
    lowered = (wide**2).sum(1) / 2 if vectors.distance == "euclidean" else np.zeros(len(items))
    found = np.empty((len(asked), count), np.int32)
    step = max(1, _CELLS // max(1, len(items)))
    for at in range(0, len(asked), step):
        near = queries[at : at + step].astype(np.float64) @ wide.T - lowered  # largest: nearest
        found[at : at + step] = np.argsort(-near, 1, kind="stable")[:, :count]
    return found


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors float32 [n, D] at length 1; those of length 0 as they are."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def assembled(dataset: Dataset, vectors: VectorSet, protocol: Nearest) -> Assembly:
    """All rows to search are the catalog; the rows to ask are shared out to validation and test by the seed."""
    items, asked = len(vectors.train), len(vectors.test)
    count = min(protocol.validation, asked // 2)
    if protocol.neighbors > items or not count:
        raise ProtocolError(
            f"{dataset.name}: {items:,} vectors to search and {asked:,} to ask are too few for "
            f"nearest:neighbors={protocol.neighbors}"
        )
    order = shuffled(np.arange(asked), protocol.seed)
    rows = {"validation": np.sort(order[:count]), "test": np.sort(order[count:][: protocol.requests or None])}
    nobody = np.zeros(0, np.int64)
    return Assembly(
        split=Split(nobody, Part(nobody, nobody, nobody), Part(nobody, nobody, nobody)),
        items=np.arange(items),
        training_items=items,
        catalog=dataset.catalog,
        training=dataset.interactions,
        training_users=nobody,
        popularity=np.zeros(items, np.int64),
        first_seen=None,
        asked={part: _asked(vectors, one, protocol.neighbors) for part, one in rows.items()},
    )


def _asked(vectors: VectorSet, rows: NDArray[np.int64], count: int) -> Asked:
    near = neighbours(vectors, rows, count)
    if (near < 0).any() or (near >= len(vectors.train)).any():
        raise DataError(f"{vectors.title}: a neighbour is none of the {len(vectors.train):,} vectors")
    return Asked(
        users=rows,
        keys=rows * KEY_STRIDE,
        history=Ragged.empty(len(rows)),
        history_times=None,
        times=None,
        exclude=Ragged.empty(len(rows)),
        targets=Ragged(np.arange(len(rows) + 1) * count, near.ravel()),
        dropped={"seen": 0, "repeated": 0, "not_eligible": 0, "requests": 0},
        vectors=vectors.test[rows],
    )


def _dataset(card: Card, vectors: VectorSet, fingerprint: str) -> Dataset:
    nothing = np.zeros(0, np.int32)
    size = len(vectors.train)
    return Dataset(
        name=card.name,
        title=card.title,
        card=card,
        fingerprint=fingerprint,
        interactions=Interactions(nothing, nothing, Ragged.empty(0)),
        catalog=Catalog(size, vectors=vectors.train, distance=vectors.distance),
        profiles={},
        user_ids=(),
        item_ids=[str(row) for row in range(size)],
        described=np.ones(size, np.bool_),
        time="none",
    )
