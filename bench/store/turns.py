"""Methods timed in turn, on disk: `turns/<moment>/` with record.json and turns.parquet, every call of every turn."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.cache import begin, write_text
from bench.errors import StoreError
from bench.store.columns import Repetitions

CALLS = "turns.parquet"


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of one worker. label: of its method, the baseline's second worker's its own; start: which of its
    processes, from 0; round: of the start, from 0; place: in the round, from 0; competing: cores of other work."""

    label: str
    start: int
    round: int
    place: int
    competing: float
    calls: Repetitions


def keep(root: Path, record: dict[str, Any], turns: Sequence[Turn]) -> Path:
    """Write both into a new folder of the results `root`, whole or not at all; raises StoreError."""
    folder = root / "turns"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    try:
        begun = begin(folder, stamp)
    except OSError as error:
        raise StoreError(f"{folder}: results cannot be written here ({error}); name another by --results") from error
    try:
        pq.write_table(pa.concat_tables(map(_table, turns)), begun / CALLS, compression="zstd")
        write_text(begun / "record.json", json.dumps(record, indent=1, allow_nan=False) + "\n")
        return begun.rename(folder / stamp)
    except OSError as error:
        raise StoreError(f"{begun}: could not be written ({error}); earlier results are intact") from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)


def newest(root: Path, runs: Collection[str]) -> Path | None:
    """The newest folder all of whose methods are among these run ids, None where there is none."""
    for path in sorted((root / "turns").glob("[!.]*/record.json"), reverse=True):
        if {one["run_id"] for one in read(path.parent)["methods"]} <= set(runs):
            return path.parent
    return None


def read(folder: Path) -> dict[str, Any]:
    """The record in `folder`; raises StoreError."""
    try:
        record: dict[str, Any] = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder / 'record.json'} cannot be read ({error}); delete the folder {folder}") from error
    return record


def _table(turn: Turn) -> pa.Table:
    calls = turn.calls
    size = len(calls.seconds)
    texts = {"method": turn.label, "mode": calls.mode}
    numbers = {"start": turn.start, "round": turn.round, "place": turn.place}
    return pa.table(
        {name: pa.array([text] * size, pa.string()).dictionary_encode() for name, text in texts.items()}
        | {name: pa.array([number] * size, pa.int16()) for name, number in numbers.items()}
        | {
            "competing_cores": pa.array([turn.competing] * size, pa.float32()),
            "request": pa.array(calls.rows, pa.int32()),
            "seconds": pa.array(calls.seconds, pa.float64()),
        }
    )
