"""A task: a data set cut by a protocol under named conventions, frozen in a folder with a fingerprint."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.storage import ArrayReader, Layout, Texts, damaged
from bench.data.tables import (
    Catalog,
    Evaluation,
    Feature,
    Features,
    Interactions,
    Requests,
    Text,
    TrainingData,
)
from bench.errors import Unavailable, UnknownName

PARTS = ("validation", "test")


@dataclass(frozen=True, slots=True)
class Task:
    """A frozen task, opened from its folder; every array is memory-mapped when it is asked for.

    fingerprint: sha256 (hex) over the prepared arrays and the rules, the same on every machine. about: what the task
    is, for results. Only `targets/` holds targets, those of the test in `targets/test/`.
    """

    folder: Path
    fingerprint: str
    about: Mapping[str, Any]
    _layout: Mapping[str, Layout]
    _arrays: ArrayReader

    @classmethod
    def open(cls, folder: Path) -> Task:
        """The task in `folder`; raises CorruptCache where a file is missing, truncated or no JSON."""
        path = folder / "task.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            arrays = ArrayReader(folder, record["files"], record.get("digests", {}))
            task = cls(folder, record["fingerprint"], record["about"], record["layout"], arrays)
        except FileNotFoundError:
            raise damaged(path, folder, "it is missing") from None
        except (ValueError, KeyError, TypeError) as error:
            raise damaged(path, folder, f"it cannot be read: {type(error).__name__}: {error}") from error
        arrays.verify()
        return task

    def check(self) -> None:
        """Raise CorruptCache where content has changed. It reads targets too, so no worker may call it."""
        self._arrays.compare()

    def training(self) -> TrainingData:
        """What `train` may see. All of it, the validation part too, speaks of items known in training only: others are
        left out of histories and targets, and a validation request without any target left is left out."""
        read = self._arrays
        offsets, items = read.array("training/offsets"), read.array("training/items")
        interactions = Interactions(
            users=read.array("training/users"),
            items=items,
            by_user=Ragged(offsets, items),
            timestamps=read.maybe("training/timestamps"),
            ratings=read.maybe("training/ratings"),
            behaviours=read.maybe("training/behaviours"),
        )
        validation = Evaluation(self.requests("validation"), self.targets("validation"))
        if self.about["training_items"] < self.about["items"]:
            validation = _within(validation, self.about["training_items"])
        profiles = read.features(self._layout["training"])
        return TrainingData(interactions, self.training_catalog(), validation, profiles)

    def training_catalog(self) -> Catalog:
        """The first rows of the query catalog: the items known in training."""
        catalog, size = self.catalog(), self.about["training_items"]
        return _prefix(catalog, size) if size < catalog.size else catalog

    def catalog(self) -> Catalog:
        """The query catalog; its first `about["training_items"]` items are the training catalog."""
        return Catalog(
            size=self.about["items"],
            features=self._arrays.features(self._layout["catalog"]),
            first_seen=self._arrays.maybe("query/catalog/first-seen"),
            vectors=self._arrays.maybe("query/catalog/vectors"),
            eligible=self._arrays.maybe("query/catalog/eligible"),
            distance=self.about.get("distance"),
        )

    def requests(self, part: str) -> Requests:
        """The requests of "validation" or "test"."""
        read, at = self._arrays, f"query/{_part(part)}"
        offsets = read.array(f"{at}/history-offsets")
        times = read.maybe(f"{at}/history-times")
        return Requests(
            keys=read.array(f"{at}/keys"),
            users=read.array(f"{at}/users"),
            history=Ragged(offsets, read.array(f"{at}/history")),
            exclude=read.ragged(f"{at}/exclude"),
            history_times=None if times is None else Ragged(offsets, times),
            times=read.maybe(f"{at}/times"),
            vectors=read.maybe(f"{at}/vectors"),
            profiles=read.features(self._layout[part]),
        )

    def targets(self, part: str) -> Ragged:
        """The targets of each request of "validation" or "test", earliest first."""
        return self._arrays.ragged(f"targets/{_part(part)}/targets")

    def popularity(self) -> NDArray[np.int64]:
        """Training interactions of each item, int64 [items]."""
        return self._arrays.array("items/popularity")

    def first_seen(self) -> NDArray[np.int64] | None:
        """The moment each item appears, int64 [items]: declared, else its first interaction in the whole log (its end
        where there is none), so it is for evaluation only. None for data without time."""
        return self._arrays.maybe("targets/first-seen")

    def dataset_ids(self) -> NDArray[np.int64]:
        """The data set's own number of each item, int64 [items]: the same in every task of it, as task ids are not."""
        return self._arrays.array("items/dataset-ids")

    def item_ids(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
        """The raw ids of the given items."""
        texts = self._arrays.texts("items/raw-ids")
        return [texts[int(item)] for item in ids]

    def labels(self, ids: Sequence[int] | NDArray[np.integer[Any]]) -> list[str]:
        """What people call the given items: their titles, else their raw ids."""
        raw = self.item_ids(ids)
        feature = self.catalog().features.get(self.about["label"] or "")
        if not isinstance(feature, Text):
            return raw
        return [feature.values[int(item)] or name for item, name in zip(ids, raw, strict=True)]

    def preferences(self) -> Any | None:
        """The simulator's truth about this task's items, None where nothing knows it. Raises Unavailable."""
        known = self.about["preferences"]
        if known is None:
            return None
        module, _, name = known["target"].partition(":")
        try:
            simulator = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise Unavailable(
                f"the true preferences of {self.about['dataset']} are those of {known['target']}, which cannot be "
                f"imported: {error}. Install the package that generated the data."
            ) from error
        return simulator(known["parameters"], self.dataset_ids())


def _part(part: str) -> str:
    if part not in PARTS:
        raise UnknownName("part of a task", part, PARTS)
    return part


def _prefix(catalog: Catalog, size: int) -> Catalog:
    """The first `size` items of the catalog, as views."""
    return Catalog(
        size=size,
        features=_prefix_features(catalog.features, size),
        first_seen=None if catalog.first_seen is None else catalog.first_seen[:size],
        vectors=None if catalog.vectors is None else catalog.vectors[:size],
        eligible=None if catalog.eligible is None else catalog.eligible[: np.searchsorted(catalog.eligible, size)],
        distance=catalog.distance,
    )


def _within(evaluation: Evaluation, size: int) -> Evaluation:
    """The evaluation without the items from `size` on, and without the requests that then have no target."""
    requests, targets = evaluation.requests, evaluation.targets
    known = requests.history.values < size
    times = requests.history_times
    targets = targets.keep(targets.values < size)
    requests = dataclasses.replace(
        requests,
        history=requests.history.keep(known),
        history_times=None if times is None else times.keep(known),
        exclude=requests.exclude.keep(requests.exclude.values < size),
    )
    kept = np.flatnonzero(targets.lengths > 0)
    return Evaluation(requests.take(kept), targets.take(kept))


def _prefix_features(features: Features, size: int) -> dict[str, Feature]:
    """The first `size` rows of each feature, as views."""
    return {
        name: Text(Texts.pack(feature.values).prefix(size)) if isinstance(feature, Text) else feature.take(slice(size))
        for name, feature in features.items()
    }
