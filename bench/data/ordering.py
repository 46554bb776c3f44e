"""The order of a user's interactions: time, the card's own order, then a fixed hash of (raw user, raw item)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def splitmix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The mixing function of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), elementwise, a bijection of 64 bits."""
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def stable_hash(texts: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash (BLAKE2b) of each text, the same on every machine and in every process: uint64 [n]."""
    octets = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(octets, "<u8").astype(np.uint64)


def tie_hash(users: NDArray[np.uint64], items: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One uint64 for each pair of hashes, without any trace of either's order."""
    return splitmix64(splitmix64(users) ^ items)


def sorted_rows(
    columns: dict[str, NDArray[Any]], order: NDArray[Any] | None, ties: NDArray[np.uint64] | None
) -> NDArray[np.int64]:
    """The rows sorted by user, time, `order`, `ties`; what is still equal stays in the file's order: int64 [N].

    With `ties`, rows equal even in these (one pair, one moment) go by rating and behaviour, so that two forms of one
    table give the same order.
    """
    keys: dict[str, NDArray[Any] | None] = {
        "users": columns["users"],
        "timestamps": columns.get("timestamps"),
        "order": order,
        "ties": ties,
        "ratings": columns.get("ratings") if ties is not None else None,
        "behaviours": columns.get("behaviours") if ties is not None else None,
    }
    frame = pl.DataFrame({name: key for name, key in keys.items() if key is not None})
    rows = frame.select(pl.arg_sort_by(*frame.columns, maintain_order=True)).to_series()
    return rows.to_numpy().astype(np.int64)


def unsorted_rows(users: NDArray[np.int32], timestamps: NDArray[np.int64] | None) -> int:
    """How many rows stand directly behind a later one of the same user."""
    if timestamps is None:
        return 0
    rows = np.argsort(users, kind="stable")
    same = users[rows][1:] == users[rows][:-1]
    return int((same & (np.diff(timestamps[rows]) < 0)).sum())


def core(users: NDArray[np.int32], items: NDArray[np.int32], least: tuple[int, int]) -> NDArray[np.bool_]:
    """The rows that are left when users and items with too few rows are dropped until nothing changes: bool [N]."""
    kept = np.ones(len(users), np.bool_)
    while True:
        enough_user = np.bincount(users[kept], minlength=int(users.max(initial=-1)) + 1) >= least[0]
        enough_item = np.bincount(items[kept], minlength=int(items.max(initial=-1)) + 1) >= least[1]
        now = kept & enough_user[users] & enough_item[items]
        if now.sum() == kept.sum():
            return now
        kept = now
