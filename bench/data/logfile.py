"""interactions.arrow: written in streams by bounded memory, read as memory-mapped columns without a copy.

The file holds one record batch, whose columns are contiguous. Batches are appended to one plain file a column; at the
end Arrow writes the file around placeholders and each placeholder's octets come from its column's file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.data.ragged import Ragged
from bench.data.storage import damaged
from bench.data.tables import Interactions

TYPES: Mapping[str, Any] = {
    "users": np.int32,
    "items": np.int32,
    "timestamps": np.int64,
    "ratings": np.float32,
    "behaviours": np.int8,
}
_BLOCK = 1 << 22


@dataclass(slots=True)
class LogWriter:
    """Collects interactions batch by batch in `scratch` and writes them to `path` when it is left without an error.

    digests: sha256 of each column's octets; rows, users (last id + 1) and whether the order was kept.
    """

    path: Path
    scratch: Path
    rows: int = 0
    digests: dict[str, str] = field(default_factory=dict)
    _files: dict[str, IO[bytes]] = field(default_factory=dict)
    _sums: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> LogWriter:
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self

    def append(self, columns: Mapping[str, NDArray[Any]]) -> None:
        """Add rows; every batch has the same columns, all of one length."""
        if self.rows == 0 and not self._files:
            for name in columns:
                self._files[name] = (self.scratch / f"{name}.column").open("w+b")
                self._sums[name] = hashlib.sha256()
        for name, handle in self._files.items():
            octets = np.ascontiguousarray(columns[name], TYPES[name]).view(np.uint8).data
            handle.write(octets)
            self._sums[name].update(octets)
        self.rows += len(columns["users"])

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self.digests = {name: found.hexdigest() for name, found in self._sums.items()}
                self._write()
        finally:
            for name, handle in self._files.items():
                handle.close()
                (self.scratch / f"{name}.column").unlink()

    def _write(self) -> None:
        placeholders = {name: pa.py_buffer(np.zeros(self.rows, TYPES[name])) for name in self._files}  # never touched
        batch = pa.record_batch(
            {
                name: pa.Array.from_buffers(pa.from_numpy_dtype(TYPES[name]), self.rows, [None, placeholder])
                for name, placeholder in placeholders.items()
            }
        )
        parts = {placeholder.address: self._files[name] for name, placeholder in placeholders.items() if self.rows}
        with self.path.open("wb") as out:
            sink = pa.PythonFile(_Sink(out, parts), "w")
            with pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)


@dataclass(slots=True)
class _Sink:
    """A file for Arrow to write to, which puts a column's file in the place of its placeholder."""

    out: IO[bytes]
    parts: Mapping[int, IO[bytes]]
    closed: bool = False

    def write(self, data: Any) -> int:
        part = self.parts.get(data.address) if isinstance(data, pa.Buffer) else None
        if part is None:
            self.out.write(data)
        else:
            part.seek(0)
            while block := part.read(_BLOCK):
                self.out.write(block)
        return len(data)

    def tell(self) -> int:
        return self.out.tell()

    def flush(self) -> None:
        self.out.flush()

    def close(self) -> None:
        self.closed = True


def open_log(path: Path, users: int) -> Interactions:
    """The interactions in `path`, memory-mapped; raises CorruptCache."""
    columns = {}
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        for name in table.column_names:
            columns[name] = table[name].chunk(0).to_numpy() if len(table) else np.zeros(0, TYPES[name])
    except (pa.ArrowException, OSError, KeyError) as error:
        raise damaged(path, path.parent, str(error)) from error
    # ids of the keys' own type: searchsorted would copy a column of another
    offsets = np.searchsorted(columns["users"], np.arange(users + 1, dtype=np.int32)).astype(np.int64)
    return Interactions(by_user=Ragged(offsets, columns["items"]), **columns)
