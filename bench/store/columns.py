"""The per-request columns of an execution, as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from bench.answer import Answer
from bench.data.ragged import Ragged

REQUESTS, TIMINGS = "requests.parquet", "timing.parquet"


def write_requests(path: Path, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    """One row a request: its part, then `parts[part]`'s columns [B]; a column that a part lacks is null there."""
    tables = []
    for part, columns in parts.items():
        size = len(next(iter(columns.values())))
        arrays = {"part": pa.array([part] * size, pa.string()).dictionary_encode()}
        tables.append(pa.table(arrays | {name: pa.array(values, from_pandas=True) for name, values in columns.items()}))
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), path, compression="zstd")


def write_answers(path: Path, parts: Mapping[str, tuple[NDArray[np.int64], Answer]]) -> None:
    """One row a request: part, key, ids (best first, pads left out) and scores where the method gave them."""
    tables = []
    for part, (keys, answer) in parts.items():
        kept = answer.ids >= 0
        columns = {
            "part": pa.array([part] * len(keys), pa.string()).dictionary_encode(),
            "key": pa.array(keys),
            "ids": _lists(answer.ids, kept),
        }
        if answer.scores is not None:
            columns["scores"] = _lists(answer.scores, kept)
        tables.append(pa.table(columns))
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), path, compression="zstd")


@dataclass(frozen=True, slots=True)
class Repetitions:
    """What one timing mode measured: rows int32 [M], the request of each call (-1: all of them), and its seconds."""

    mode: str
    rows: NDArray[np.int32]
    seconds: NDArray[np.float64]


def write_timings(path: Path, kept: Sequence[Repetitions]) -> None:
    """Every repetition of every mode, in order."""
    tables = [
        pa.table(
            {
                "mode": pa.array([one.mode] * len(one.rows), pa.string()).dictionary_encode(),
                "request": pa.array(one.rows, pa.int32()),
                "seconds": pa.array(one.seconds, pa.float64()),
            }
        )
        for one in kept or [Repetitions("", np.zeros(0, np.int32), np.zeros(0))]
    ]
    pq.write_table(pa.concat_tables(tables, promote_options="permissive"), path, compression="zstd")


def read_timings(path: Path, mode: str) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """rows int32 [M] and seconds float64 [M] of one mode; empty where it was not measured."""
    if not path.is_file():
        return np.zeros(0, np.int32), np.zeros(0)
    table = pq.read_table(path)
    table = table.filter(pa.compute.equal(table["mode"], mode))
    return table["request"].to_numpy().astype(np.int32), table["seconds"].to_numpy()


def read_requests(path: Path, part: str = "test") -> pa.Table:
    """The per-request columns of one part, from an execution's folder or the file itself."""
    table = pq.read_table(path / REQUESTS if path.is_dir() else path)
    return table.filter(pa.compute.equal(table["part"], part))


def read_answers(folder: Path, part: str = "test", file: str = "answers.parquet") -> tuple[NDArray[np.int64], Ragged]:
    """keys int64 [B] and the answered ids of each request, best first; of the oracle with file="oracle.parquet"."""
    table = pq.read_table(folder / file)
    table = table.filter(pa.compute.equal(table["part"], part)).combine_chunks()
    lists = table["ids"].combine_chunks()
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.to_numpy()
    return table["key"].to_numpy(), Ragged(offsets - offsets[0], values[offsets[0] : offsets[-1]])


def _lists(values: NDArray[Any], kept: NDArray[np.bool_]) -> pa.ListArray:
    offsets = np.zeros(len(values) + 1, np.int64)
    np.cumsum(kept.sum(1), out=offsets[1:])
    return pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values[kept]))
