"""A task as tables for systems outside: what may be learnt from and what is asked, never a target."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench.data.ragged import Ragged
from bench.data.task import PARTS, Task
from bench.errors import UsageError


def export(task: Task, folder: Path) -> list[Path]:
    """Write training.parquet, requests.parquet and items.parquet into `folder`, and return them.

    training: a row an interaction, by user and time: user (a number), item (its raw id), time (seconds), rating.
    requests: a row a request of either part: part, request (its key, which answers name), user (that of training, -1
    for a user it does not know), time, history (raw ids, oldest first), exclude (raw ids that must not be answered).
    items: item, and whether it may be answered. Columns that the data lack are left out. Raises UsageError for a task
    of vectors.
    """
    if task.about.get("distance") is not None:
        raise UsageError("a task of vectors is its own file: the vectors there are the items and the requests")
    folder.mkdir(parents=True, exist_ok=True)
    names = pa.array(task.item_ids(np.arange(task.about["items"])))
    written = []
    for name, table in (
        ("training", _training(task, names)),
        ("requests", pa.concat_tables([_requests(task, part, names) for part in PARTS])),
        ("items", _items(task, names)),
    ):
        beside = folder / f".{name}.parquet"
        pq.write_table(table, beside, compression="zstd")
        written.append(beside.rename(folder / f"{name}.parquet"))
    return written


def _training(task: Task, names: pa.Array) -> pa.Table:
    log = task.training().interactions
    found = {"user": pa.array(log.users), "item": names.take(pa.array(log.items))}
    found |= {"time": pa.array(log.timestamps)} if log.timestamps is not None else {}
    found |= {"rating": pa.array(log.ratings)} if log.ratings is not None else {}
    return pa.table(found)


def _requests(task: Task, part: str, names: pa.Array) -> pa.Table:
    requests = task.requests(part)
    found = {
        "part": pa.array([part] * len(requests)),
        "request": pa.array(requests.keys),
        "user": pa.array(requests.users),
        "history": _lists(requests.history, names),
        "exclude": _lists(requests.exclude, names),
    }
    return pa.table(found | ({"time": pa.array(requests.times)} if requests.times is not None else {}))


def _items(task: Task, names: pa.Array) -> pa.Table:
    may = np.zeros(len(names), bool)
    may[task.catalog().candidates()] = True
    return pa.table({"item": names, "answerable": pa.array(may)})


def _lists(rows: Ragged, names: pa.Array) -> pa.Array:
    """Raw ids of every row."""
    first, last = int(rows.offsets[0]), int(rows.offsets[-1])
    offsets = pa.array(np.asarray(rows.offsets) - first, pa.int64())
    return pa.LargeListArray.from_arrays(offsets, names.take(pa.array(rows.values[first:last])))
