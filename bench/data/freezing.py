"""Making a task: assembled, then written into its folder with sizes, fingerprint and what it is about."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.data.assembly import Assembly, assemble, rows_of
from bench.data.audit import audit_task
from bench.data.conventions import Conventions
from bench.data.dataset import Dataset
from bench.data.eligible import read_eligible
from bench.data.evaluations import Asked
from bench.data.protocols import Protocol, describe
from bench.data.storage import ArrayWriter, Layout, Texts, built
from bench.data.tables import Catalog, Features, Interactions
from bench.data.task import PARTS, Task
from bench.data.thinning import thinned
from bench.errors import UsageError

VERSION = "1"  # raised whenever the same data and rules would give other arrays


def prepare_task(
    dataset: Dataset,
    protocol: Protocol,
    conventions: Conventions,
    *,
    cache: Path,
    eligible: Path | None = None,
    share: float = 1.0,
) -> Task:
    """The task that `protocol` makes of `dataset`, built in the folder `cache` unless it is there.

    eligible: a file of raw item ids, one a line, the only items that may be answered; share: of the task's users, below
    1 for a pilot. Raises ProtocolError, DataError (the file of eligible items; a full disk), CorruptCache.
    """
    if conventions.ties != dataset.ties:
        raise UsageError(f"the data set was loaded with ties={dataset.ties}, the conventions say {conventions.ties}")
    chosen = None if eligible is None else read_eligible(eligible, dataset.item_ids)
    identity = {
        "version": VERSION,
        "dataset": [dataset.name, dataset.title, dataset.fingerprint],
        "protocol": describe(protocol),
        "conventions": conventions.as_dict(),
        "eligible": None if chosen is None else hashlib.sha256(chosen.tobytes()).hexdigest(),
        **({"share": share} if share < 1 else {}),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()

    def make(folder: Path) -> None:
        made = assemble(dataset, protocol, conventions, chosen)
        freeze(folder, dataset, protocol, conventions, thinned(made, share) if share < 1 else made)

    task = Task.open(built(cache / "tasks" / digest[:24], make))
    task.check()
    return task


def freeze(folder: Path, dataset: Dataset, protocol: Protocol, conventions: Conventions, made: Assembly) -> None:
    """Write the task into the empty `folder`; its fingerprint covers every array and the rules, not names or places."""
    writer = ArrayWriter(folder)
    layout = {
        "training": _write_training(writer, made.training, rows_of(dataset.profiles, made.training_users)),
        "catalog": _write_catalog(writer, made.catalog),
    }
    for part in PARTS:
        asked = made.asked[part]
        profiles = rows_of(dataset.profiles, asked.users)
        layout[part] = _write_requests(writer, f"query/{part}", asked, made.training_users, profiles)
        writer.ragged(f"targets/{part}/targets", asked.targets)
    writer.array("items/dataset-ids", made.items)
    writer.array("items/popularity", made.popularity)
    writer.texts("items/raw-ids", Texts.pack(dataset.item_ids).take(made.items))
    if made.first_seen is not None:
        writer.array("targets/first-seen", made.first_seen)
    rules = _rules(dataset, protocol, conventions, made)
    about = {"dataset": dataset.name, "title": dataset.title, **rules, **_counts(dataset, made)}
    record = {
        "fingerprint": writer.fingerprint(rules),
        "about": about,
        "layout": layout,
        "files": writer.sizes,
        "digests": writer.digests,
    }
    (folder / "task.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def _rules(dataset: Dataset, protocol: Protocol, conventions: Conventions, made: Assembly) -> dict[str, Any]:
    in_time = made.split.order is None
    return {
        "version": VERSION,
        "protocol": describe(protocol),
        "conventions": conventions.as_dict(),
        "label": dataset.label,
        "behaviours": list(dataset.behaviours),
        "time": dataset.time if in_time else "none",
        # the simulator's truth speaks of the order in which it made the interactions
        "preferences": dict(dataset.preferences) if in_time and dataset.preferences is not None else None,
        **({} if dataset.catalog.distance is None else {"distance": dataset.catalog.distance}),
    }


def _counts(dataset: Dataset, made: Assembly) -> dict[str, Any]:
    test, eligible = made.asked["test"], made.catalog.eligible
    trained = np.isin(test.users, made.training_users)
    return {
        "requests": {part: len(made.asked[part].users) for part in PARTS},
        "items": made.catalog.size,
        "training_items": made.training_items,
        "eligible_items": None if eligible is None else len(eligible),
        "interactions": len(made.training),
        "interactions_total": len(dataset.interactions),
        "users": dataset.users,
        "training_users": len(made.training_users),
        "training_ends": made.split.training_ends,
        "dropped_targets": {part: made.asked[part].dropped for part in PARTS},
        "audit": audit_task(made.training, test.history, test.targets, test.times, made.popularity > 0, trained),
    }


def _write_training(writer: ArrayWriter, training: Interactions, profiles: Features) -> Layout:
    writer.array("training/users", training.users)
    writer.array("training/items", training.items)
    writer.array("training/offsets", training.by_user.offsets)
    for name in ("timestamps", "ratings", "behaviours"):
        column = getattr(training, name)
        if column is not None:
            writer.array(f"training/{name}", column)
    return writer.features("training/profiles", profiles)


def _write_catalog(writer: ArrayWriter, catalog: Catalog) -> Layout:
    for name, column in (
        ("first-seen", catalog.first_seen),
        ("vectors", catalog.vectors),
        ("eligible", catalog.eligible),
    ):
        if column is not None:
            writer.array(f"query/catalog/{name}", column)
    return writer.features("query/catalog/features", catalog.features)


def _write_requests(
    writer: ArrayWriter, at: str, asked: Asked, training_users: NDArray[np.int64], profiles: Features
) -> Layout:
    place = np.searchsorted(training_users, asked.users)
    trained = np.isin(asked.users, training_users)
    writer.array(f"{at}/users", np.where(trained, place, -1).astype(np.int32))
    writer.array(f"{at}/keys", asked.keys)
    writer.ragged(f"{at}/history", asked.history)
    writer.ragged(f"{at}/exclude", asked.exclude)
    if asked.history_times is not None:
        writer.array(f"{at}/history-times", asked.history_times.values)
    if asked.times is not None:
        writer.array(f"{at}/times", asked.times)
    if asked.vectors is not None:
        writer.array(f"{at}/vectors", asked.vectors)
    return writer.features(f"{at}/profiles", profiles)
