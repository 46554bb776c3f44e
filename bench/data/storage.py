"""Arrays in a folder: written once with their sizes and one digest, read memory-mapped and checked.

Everything is a `.npy` without pickles; texts are two arrays, offsets and UTF-8 octets. Files are opened by Python's
`open` alone, so an audit hook can deny a worker the folder that holds the targets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from bench.cache import build
from bench.data.ragged import Ragged
from bench.data.tables import Categorical, Feature, Features, MultiCategorical, Numeric, Text
from bench.errors import CorruptCache, DataError

Layout = list[dict[str, str]]
_COMPARED_BYTES = 1 << 25


class Texts(Sequence[str]):
    """Texts in two arrays, offsets int64 [n + 1] and octets uint8 (UTF-8), each decoded when it is asked for."""

    __slots__ = ("octets", "offsets")

    def __init__(self, offsets: NDArray[np.int64], octets: NDArray[np.uint8]) -> None:
        self.offsets = offsets
        self.octets = octets

    @classmethod
    def pack(cls, texts: Sequence[str]) -> Texts:
        """The same texts, packed."""
        if isinstance(texts, Texts):
            return texts
        encoded = [str(text).encode() for text in texts]  # str: an Arrow column gives scalars
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(one) for one in encoded], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(encoded), np.uint8))

    def take(self, rows: NDArray[np.int64]) -> Texts:
        """The given rows, in the given order."""
        taken = Ragged(self.offsets, self.octets).take(rows)
        return Texts(taken.offsets, taken.values)

    def prefix(self, size: int) -> Texts:
        """The first `size` texts, as a view."""
        return Texts(self.offsets[: size + 1], self.octets[: self.offsets[: size + 1][-1]])

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> list[str]: ...
    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [self[row] for row in range(len(self))[at]]
        row = range(len(self))[at]
        return self.octets[self.offsets[row] : self.offsets[row + 1]].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))


@dataclass(frozen=True, slots=True)
class ArrayWriter:
    """Writes arrays under `folder`; `sizes`, `digests` and `fingerprint(rules)` tell what was written.

    sizes {file: bytes}; digests {file: sha256 of its type, shape and content}.
    """

    folder: Path
    sizes: dict[str, int] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def array(self, name: str, array: NDArray[Any]) -> None:
        """Write one array as NAME.npy."""
        file = f"{name}.npy"
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.ascontiguousarray(array)
        np.save(path, array, allow_pickle=False)
        self.sizes[file] = path.stat().st_size
        self.digests[file] = _digest(array)

    def ragged(self, name: str, ragged: Ragged) -> None:
        """Write NAME.npy and NAME-offsets.npy."""
        self.array(f"{name}-offsets", ragged.offsets)
        self.array(name, ragged.values)

    def texts(self, name: str, texts: Sequence[str]) -> None:
        """Write NAME.npy (octets) and NAME-offsets.npy."""
        packed = Texts.pack(texts)
        self.ragged(name, Ragged(packed.offsets, packed.octets))

    def features(self, name: str, features: Features) -> Layout:
        """Write the features as NAME/0.npy ...; returns what `ArrayReader.features` needs to find them again."""
        layout = []
        for number, (title, feature) in enumerate(features.items()):
            at = f"{name}/{number}"
            if isinstance(feature, Categorical):
                self.array(at, feature.codes)
                self.texts(f"{at}-names", feature.names)
            elif isinstance(feature, MultiCategorical):
                self.ragged(at, feature.codes)
                self.texts(f"{at}-names", feature.names)
            elif isinstance(feature, Numeric):
                self.array(at, feature.values)
            else:
                self.texts(at, feature.values)
            layout.append({"name": title, "kind": type(feature).__name__, "at": at})
        return layout

    def fingerprint(self, rules: Mapping[str, Any]) -> str:
        """sha256 (hex) over all arrays written, their names, types and shapes, and `rules` (as JSON)."""
        said = json.dumps([sorted(self.digests.items()), rules], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ArrayReader:
    """Reads what an `ArrayWriter` wrote; each error is a CorruptCache that names the file and the mend."""

    folder: Path
    sizes: Mapping[str, int]
    digests: Mapping[str, str] = field(default_factory=dict)

    def verify(self) -> None:
        """Check that every file is there in full; opens none."""
        for file in self.sizes:
            self._verified(file)

    def compare(self) -> None:
        """Check the content of every file of up to 32 MiB; what is larger would take too long at each start."""
        for file, digest in self.digests.items():
            if self.sizes[file] <= _COMPARED_BYTES and _digest(self.array(file.removesuffix(".npy"))) != digest:
                raise damaged(self.folder / file, self.folder, "its content has changed")

    def array(self, name: str) -> NDArray[Any]:
        """The array NAME, memory-mapped, read-only."""
        path = self._verified(f"{name}.npy")
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)  # type: ignore[no-any-return]
        except (ValueError, EOFError, SyntaxError) as error:
            raise damaged(path, self.folder, f"it is no array: {error}") from error

    def maybe(self, name: str) -> NDArray[Any] | None:
        """The array NAME, None where none was written."""
        return self.array(name) if f"{name}.npy" in self.sizes else None

    def ragged(self, name: str) -> Ragged:
        """The Ragged NAME, memory-mapped."""
        return Ragged(self.array(f"{name}-offsets"), self.array(name))

    def texts(self, name: str) -> Texts:
        """The texts NAME, memory-mapped and decoded one by one when asked for."""
        return Texts(self.array(f"{name}-offsets"), self.array(name))

    def features(self, layout: Layout) -> dict[str, Feature]:
        """The features that `ArrayWriter.features` described."""
        return {one["name"]: self._feature(one["kind"], one["at"]) for one in layout}

    def _feature(self, kind: str, at: str) -> Feature:
        if kind == Categorical.__name__:
            return Categorical(self.array(at), self.texts(f"{at}-names"))
        if kind == MultiCategorical.__name__:
            return MultiCategorical(self.ragged(at), self.texts(f"{at}-names"))
        return Numeric(self.array(at)) if kind == Numeric.__name__ else Text(self.texts(at))

    def _verified(self, file: str) -> Path:
        path = self.folder / file
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise damaged(path, self.folder, "it is missing") from None
        if size != self.sizes[file]:
            raise damaged(path, self.folder, f"it has {size} bytes instead of {self.sizes[file]}")
        return path


def built(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder`, made by `make` unless it is there; DataError for a full disk or a folder that may not be written."""
    try:
        return build(folder, make)
    except OSError as error:
        raise DataError(
            f"{folder.name} cannot be prepared: {error}. Free space there, or name another folder by --cache; nothing "
            f"half-written is left."
        ) from error


def damaged(path: Path, folder: Path, why: str) -> CorruptCache:
    """The error for a damaged file of a prepared folder."""
    return CorruptCache(f"{path} is damaged: {why}. Delete the folder {folder} and run again; it is built anew.")


def _digest(array: NDArray[Any]) -> str:
    """sha256 of an array's type, shape and content."""
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    if array.size:
        digest.update(array.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()
