"""Small data sets made in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.cards import Card
from bench.data.conventions import Conventions
from bench.data.dataset import Dataset, load_dataset
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.data.ragged import Ragged
from bench.data.tables import Catalog, Categorical, Interactions, MultiCategorical, Numeric, Text

MakeDataset = Callable[..., Dataset]


def _make(
    sequences: Sequence[Sequence[int]],
    *,
    times: Sequence[Sequence[int]] | None = None,
    time: str = "seconds",
    items: int | None = None,
    described: Sequence[int] | None = None,
    first_seen: Sequence[int] | None = None,
    **fields: Any,
) -> Dataset:
    """A data set of one sequence of items a user. times: as `sequences`, counted up over all users where not given;
    described: the items that the item file knows, all where not given."""
    rows = Ragged.from_rows(sequences)
    size = items if items is not None else int(rows.values.max()) + 1
    stamps = np.arange(len(rows.values), dtype=np.int64) if times is None else Ragged.from_rows(times, np.int64).values
    known = np.ones(size, np.bool_)
    if described is not None:
        known[:] = False
        known[list(described)] = True
    titles = [f"Title {item}" if known[item] else "" for item in range(size)]
    features = {
        "title": Text(titles),
        "genres": MultiCategorical(Ragged.from_rows([[item % 2, 2] for item in range(size)]), ["even", "odd", "any"]),
        "colour": Categorical(np.arange(size, dtype=np.int32) % 3 - 1, ["red", "blåhvit"]),
        "price": Numeric(np.arange(size, dtype=np.float32)),
    }
    users = len(sequences)
    return Dataset(
        **{
            "name": "made",
            "title": "Made by hand",
            "card": Card("made", "Made by hand"),
            "fingerprint": hashlib.sha256(
                repr((sequences, times, time, items, described, first_seen)).encode()
            ).hexdigest(),
            "interactions": Interactions(
                users=rows.rows().astype(np.int32),
                items=rows.values,
                by_user=rows,
                timestamps=stamps if time in ("seconds", "periods") else None,
                ratings=np.full(len(rows.values), 5, np.float32),
            ),
            "catalog": Catalog(size, features, None if first_seen is None else np.array(first_seen, np.int64)),
            "profiles": {
                "age": Numeric(np.arange(users, dtype=np.float32)),
                "name": Text([f"u{u}" for u in range(users)]),
            },
            "user_ids": [f"u{user}" for user in range(users)],
            "item_ids": [f"i{item}" for item in range(size)],
            "described": known,
            "label": "title",
            "time": time,
            **fields,
        }
    )


@pytest.fixture(scope="session")
def make_dataset() -> MakeDataset:
    """Makes a data set from sequences of items."""
    return _make


@pytest.fixture
def prepare(make_dataset, tmp_path):
    """Makes a data set and its task: prepare(sequences, protocol, conventions fields, **make_dataset's)."""

    def make(sequences, protocol, conventions=None, eligible=None, **fields):
        data = make_dataset(sequences, **fields)
        return prepare_task(
            data, parse(protocol), Conventions(**(conventions or {})), cache=tmp_path, eligible=eligible
        )

    return make


class Shop:
    """A folder with a card and its files; `rows` is a small log of (user, item, rating, time)."""

    rows = (
        ("10", "b", 5, 30),
        ("10", "a", 4, 10),
        ("9", "a", 3, 5),
        ("9", "c", 4, 7),
        ("9", "b", 5, 6),
        ("10", "d", 1, 20),
    )
    rules = 'user = "u"\nitem = "i"\nrating = "r"\ntime = "t"\nkeep = "rating >= 4"\n'

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def csv(self, rows: Sequence[Any] = rows, separator: str = ",", header: bool = True) -> str:
        lines = [separator.join("uirt")] if header else []
        return "\n".join([*lines, *(separator.join(map(str, row)) for row in rows)]) + "\n"

    def card(self, text: str) -> str:
        path = self.folder / "shop.toml"
        path.write_text(f'title = "Shop"\n{text}', encoding="utf-8")
        return str(path)

    def load(self, text: str, **fields: Any) -> Dataset:
        return load_dataset(self.card(text), cache=self.folder / "cache", data_root=None, **fields)

    def simple(self, content: str, extra: str = "", file: str = "log.csv") -> Dataset:
        (self.folder / file).write_text(content, encoding="utf-8")
        return self.load(f'[interactions]\nfile = "{file}"\n{self.rules}{extra}')


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)
