"""A prepared data set: interactions, catalog and profiles over memory-mapped Arrow files."""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Progress
from bench.data import prepare
from bench.data.cards import Card, Generator, find_card, split_name
from bench.data.generated import Generated
from bench.data.guess import card_of
from bench.data.logfile import open_log
from bench.data.sources import Located, find_local, find_table, folders, verify
from bench.data.storage import built, damaged
from bench.data.sums import file_sum
from bench.data.tablefile import open_table
from bench.data.tables import Catalog, Features, Interactions
from bench.errors import DataError, ParameterError, Unavailable, UnknownName, UsageError

TIES = ("hash", "file")


@dataclass(frozen=True, slots=True)
class Dataset:
    """Interactions, catalog and user profiles under one fingerprint; ids are the data set's own, compact from 0.

    Raw ids are sorted numerically when all are integers, else as text. fingerprint: sha256 (hex) over the prepared
    content and the rules of its preparation, whatever form the source had. time: what the timestamps mean: "seconds",
    "periods" (coarse), "order" (no timestamps, but each user's rows are in order) or "none" (no order at all).
    profiles: one row a user, every user has an interaction. described bool [items]: the item has a row in the item
    file. label: the text feature that names an item. dropped: rows left out, by reason. preferences: {"target":
    "module:Class", "parameters": {...}} where a simulator knows the truth. unsorted: rows of the source that stood
    behind a later one of their user.
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
    unsorted: int = 0

    @property
    def users(self) -> int:
        """Number of users, each with at least one interaction."""
        return len(self.user_ids)


def load_dataset(
    name: str, *, cache: Path, data_root: Path | None, ties: str = "hash", progress: Progress | None = None
) -> Dataset:
    """The data set "movielens-1m", "synthetic:items=1000,seed=3" or "path/to/card.toml", prepared when needed.

    ties: "hash" orders equal timestamps by a fixed hash of the raw ids, "file" as in the file. Raises DataError,
    UnknownName, ParameterError.
    """
    card = find_card(name)
    progress = progress or _silent
    if ties not in TIES:
        raise UsageError(f"ties = {ties!r} is none of {', '.join(TIES)}")
    settings = split_name(name)[1]
    if card.generator is not None:
        folder = _generated(card, card.generator, settings, cache, progress)
        return open_dataset(folder, name, card, ties)
    if settings:
        raise UsageError(f"data set {card.name} takes no settings, {name!r} has some")
    if card.vectors is not None:
        raise DataError(
            f"{card.name} has vectors and no interactions, nothing to prepare or examine: bench run --method ann "
            f"--dataset {card.name} measures indexes over it."
        )
    return open_dataset(_prepared(card, ties, cache, data_root, progress), name, card, ties)


def check_settings(name: str) -> None:
    """Refuse, before any work, a setting that a data set does not have. Raises UsageError."""
    card, (_, settings) = find_card(name), split_name(name)
    if card.generator is not None:
        _converted(card, card.generator, settings)
    elif settings:
        raise UsageError(f"data set {card.name} takes no settings, {name!r} has some")


def load_file(
    path: Path,
    columns: Mapping[str, str] | None,
    *,
    cache: Path,
    ties: str = "hash",
    progress: Progress | None = None,
) -> tuple[Dataset, str]:
    """The data set in a file without a card, and a sentence that says which columns were taken for what.

    columns: {"user": "uid", "item": "sku", "time": "ts"} where the header's names do not tell. Raises DataError.
    """
    card, said = card_of(path, columns)
    folder = _prepared(card, ties, cache, None, progress or _silent)
    return open_dataset(folder, path.name, card, ties), said


def open_dataset(folder: Path, name: str, card: Card, ties: str) -> Dataset:
    """The prepared data set in `folder`, memory-mapped. Raises CorruptCache."""
    about = _about(folder)
    user_ids, profiles, _ = open_table(folder / "users.arrow")
    item_ids, features, extra = open_table(folder / "items.arrow")
    return Dataset(
        name=name,
        title=card.title,
        card=card,
        fingerprint=about["fingerprint"],
        interactions=open_log(folder / "interactions.arrow", about["users"]),
        catalog=Catalog(len(item_ids), features, extra.get("first_seen")),
        profiles=profiles,
        user_ids=user_ids,
        item_ids=item_ids,
        described=extra["described"],
        label=about["label"],
        behaviours=tuple(about["behaviours"]),
        dropped=about["dropped"],
        time=about["time"],
        ties=ties,
        preferences=about.get("preferences"),
        unsorted=about.get("unsorted", 0),
    )


def _about(folder: Path) -> dict[str, Any]:
    path = folder / "dataset.json"
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = about["files"]
    except (OSError, ValueError, KeyError) as error:
        raise damaged(path, folder, f"{type(error).__name__}: {error}") from error
    for name, said in files.items():
        file = folder / name
        size = file.stat().st_size if file.is_file() else -1
        if size != said["bytes"]:
            raise damaged(file, folder, "it is missing" if size < 0 else f"{size:,} bytes instead of {said['bytes']:,}")
        if said["sum"] and file_sum(file) != said["sum"]:
            raise damaged(file, folder, "its content has changed")
    return about


def _prepared(card: Card, ties: str, cache: Path, data_root: Path | None, progress: Progress) -> Path:
    said = {"interactions": card.interactions, "items": card.items, "users": card.users}
    tables = {key: table for key, table in said.items() if table is not None}
    rules = _identity([prepare.VERSION, card.content, ties])
    places = folders(card, data_root, cache)
    found = {key: find_local(table, places) for key, table in tables.items()}
    if None in found.values():  # the files are gone, or were never here
        made = sorted((cache / "datasets").glob(f"{card.name}-{rules}-*/dataset.json"))
        if made:
            return made[-1].parent
    located: dict[str, Located] = {
        key: find_table(card, table, data_root=data_root, cache=cache, progress=progress)
        for key, table in tables.items()
    }
    identity = _identity([found.signature() for found in located.values()])

    def make(folder: Path) -> None:
        for one in located.values():
            verify(card, one, cache)
        prepare.prepare_tables(card, located, ties, folder, progress)

    return built(cache / "datasets" / f"{card.name}-{rules}-{identity}", make)


def _generated(card: Card, generator: Generator, settings: Mapping[str, str], cache: Path, progress: Progress) -> Path:
    parameters = {**generator.parameters, **_converted(card, generator, settings)}
    module, _, attribute = generator.function.partition(":")
    try:
        function: Callable[[Mapping[str, Any]], Generated] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Unavailable(f"data set {card.name}: {generator.function} cannot be imported: {error}") from error

    def make(folder: Path) -> None:
        made = function(parameters)
        about = {}
        if made.preferences:
            about["preferences"] = {"target": made.preferences, "parameters": parameters}
        prepare.prepare_generated(made, about, folder, progress)

    identity = _identity([prepare.VERSION, generator.function, parameters, _source_sum(module)])
    return built(cache / "datasets" / f"{card.name}-{identity}", make)


def _converted(card: Card, generator: Generator, settings: Mapping[str, str]) -> dict[str, int | float | str]:
    """The settings in the types of their defaults."""
    converted = {}
    for key, text in settings.items():
        if key not in generator.parameters:
            raise UnknownName(f"setting of {card.name}", key, generator.parameters)
        kind = type(generator.parameters[key])
        try:
            converted[key] = kind(float(text)) if kind is int and "e" in text.lower() else kind(text)
        except (ValueError, OverflowError):
            raise ParameterError(f"{card.name}: {key}={text!r} is no {kind.__name__}") from None
    return converted


def _source_sum(module: str) -> str:
    """A digest of the generator's package: edited code never meets data that older code made."""
    origin = Path(str(sys.modules[module].__file__))
    octets = b"".join(path.read_bytes() for path in sorted(origin.parent.glob("*.py")))
    return hashlib.sha256(octets).hexdigest()


def _identity(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _silent(done: float, total: float, note: str = "") -> None:
    pass
