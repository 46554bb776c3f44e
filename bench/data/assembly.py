"""A data set cut by a protocol, in memory: its items renumbered so that those known in training come first."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.data.conventions import Conventions
from bench.data.dataset import Dataset
from bench.data.evaluations import Asked, ask
from bench.data.protocols import Protocol
from bench.data.ragged import Ragged
from bench.data.splits import Split, spans
from bench.data.storage import Texts
from bench.data.tables import Catalog, Feature, Features, Interactions, Text
from bench.data.task import PARTS
from bench.errors import ProtocolError


@dataclass(frozen=True, slots=True)
class Assembly:
    """All that a task consists of. Items are task ids throughout.

    items int64 [items]: the dataset id of each task id, the first `training_items` known in training; training:
    interactions whose users are numbered from 0; training_users int64: their dataset ids; popularity int64 [items]:
    training interactions an item; first_seen int64 [items] or None: declared, else the item's first interaction in the
    whole log (the log's end where it has none), for evaluation only; asked: by part.
    """

    split: Split
    items: NDArray[np.int64]
    training_items: int
    catalog: Catalog
    training: Interactions
    training_users: NDArray[np.int64]
    popularity: NDArray[np.int64]
    first_seen: NDArray[np.int64] | None
    asked: dict[str, Asked]


def assemble(
    dataset: Dataset, protocol: Protocol, conventions: Conventions, eligible: NDArray[np.int64] | None = None
) -> Assembly:
    """Cut `dataset`. eligible: the dataset ids that may be answered, None for all.

    Raises ProtocolError where the protocol does not fit the data set or leaves a part without a request.
    """
    split = protocol.split(dataset)
    log = _in_order(dataset.interactions, split.order)
    rows = spans(log.by_user.offsets[:-1], split.training).values  # the interactions that train
    known = _known(dataset, log.items[rows], split)
    items = np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)])
    log = _renumbered(log, items)
    training, training_users = _training(log, split, rows)
    popularity = np.bincount(training.items, minlength=len(items))
    may = _candidates(popularity, items, conventions, eligible)
    asked = {part: ask(getattr(split, part), log, len(items), conventions, may) for part in PARTS}
    for part in PARTS:
        if not len(asked[part].users):
            raise ProtocolError(
                f"{dataset.name}: {protocol.name} leaves no {part} request that has a target (left out: "
                f"{asked[part].dropped}). Change the protocol's parameters, the conventions or the eligible items."
            )
    _refuse_later(training, split, asked)
    catalog = _reordered(dataset.catalog, items)
    if may is not None:
        catalog = dataclasses.replace(catalog, eligible=np.flatnonzero(may).astype(np.int32))
    return Assembly(
        split=split,
        items=items,
        training_items=int(known.sum()),
        catalog=catalog,
        training=training,
        training_users=training_users,
        popularity=popularity,
        first_seen=_first_seen(catalog, log),
        asked=asked,
    )


def rows_of(features: Features, rows: NDArray[np.int64]) -> dict[str, Feature]:
    """The given rows of each feature; texts stay packed."""
    return {
        name: Text(Texts.pack(feature.values).take(rows)) if isinstance(feature, Text) else feature.take(rows)
        for name, feature in features.items()
    }


def _in_order(log: Interactions, order: NDArray[np.int64] | None) -> Interactions:
    """The interactions in another order within each user; it is not that of time, so times are left out."""
    if order is None:
        return log
    items = log.items[order]
    return Interactions(
        users=log.users,
        items=items,
        by_user=Ragged(log.by_user.offsets, items),
        ratings=None if log.ratings is None else log.ratings[order],
        behaviours=None if log.behaviours is None else log.behaviours[order],
    )


def _known(dataset: Dataset, trained: NDArray[np.int32], split: Split) -> NDArray[np.bool_]:
    """Items known in training, bool [items]: described (before training ends, where that is declared) or trained on."""
    known = np.array(dataset.described, np.bool_)
    if split.training_ends is not None and dataset.catalog.first_seen is not None:
        known &= dataset.catalog.first_seen <= split.training_ends
    elif not split.undated_known:
        known[:] = False
    known[trained] = True
    return known


def _renumbered(log: Interactions, items: NDArray[np.int64]) -> Interactions:
    if _in_place(items):
        return log
    task_ids = np.empty(len(items), np.int32)
    task_ids[items] = np.arange(len(items), dtype=np.int32)
    renumbered = task_ids[log.items]
    return dataclasses.replace(log, items=renumbered, by_user=Ragged(log.by_user.offsets, renumbered))


def _reordered(catalog: Catalog, items: NDArray[np.int64]) -> Catalog:
    if _in_place(items):
        return catalog
    return Catalog(
        size=catalog.size,
        features=rows_of(catalog.features, items),
        first_seen=None if catalog.first_seen is None else catalog.first_seen[items],
        vectors=None if catalog.vectors is None else catalog.vectors[items],
    )


def _in_place(items: NDArray[np.int64]) -> bool:
    return bool(np.array_equal(items, np.arange(len(items))))


def _training(log: Interactions, split: Split, rows: NDArray[np.int64]) -> tuple[Interactions, NDArray[np.int64]]:
    """The interactions that train, users numbered from 0 over those who have any, and the users' dataset ids."""
    users = np.flatnonzero(split.training)
    if not len(users):
        raise ProtocolError("the protocol leaves no interaction to train on. Change its parameters.")
    lengths = split.training[users]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = log.items[rows]
    training = Interactions(
        users=np.repeat(np.arange(len(users), dtype=np.int32), lengths),
        items=items,
        by_user=Ragged(offsets, items),
        timestamps=None if log.timestamps is None else log.timestamps[rows],
        ratings=None if log.ratings is None else log.ratings[rows],
        behaviours=None if log.behaviours is None else log.behaviours[rows],
    )
    return training, users


def _refuse_later(training: Interactions, split: Split, asked: dict[str, Asked]) -> None:
    """Where training ends at a moment, no request may be earlier than the last training interaction."""
    if split.training_ends is None or training.timestamps is None:
        return
    for part, requests in asked.items():
        later = 0 if requests.times is None else int((training.timestamps > requests.times.min()).sum())
        if later:
            raise ProtocolError(f"{later} training interactions are later than a {part} request: the split is wrong")


def _candidates(
    popularity: NDArray[np.int64],
    items: NDArray[np.int64],
    conventions: Conventions,
    eligible: NDArray[np.int64] | None,
) -> NDArray[np.bool_] | None:
    """The items that may be answered, bool [items], None for all."""
    if eligible is None and conventions.candidates == "catalog":
        return None
    may = np.ones(len(items), np.bool_) if conventions.candidates == "catalog" else popularity > 0
    if eligible is not None:
        listed = np.zeros(len(items), np.bool_)
        listed[eligible] = True
        may &= listed[items]
    return may


def _first_seen(catalog: Catalog, log: Interactions) -> NDArray[np.int64] | None:
    if catalog.first_seen is not None or log.timestamps is None:
        return catalog.first_seen
    first = np.full(catalog.size, log.timestamps.max(), np.int64)
    np.minimum.at(first, log.items, log.timestamps)
    return first
