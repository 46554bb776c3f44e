"""Vectors for index-only tasks: what to search, what to ask, and the exact neighbours where they are known; from .npz,
HDF5 (the layout of ann-benchmarks), .npy, .fvecs, .ivecs or .bvecs files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Progress
from bench.data.cards import Card, Source, Table, find_card
from bench.data.sources import Located, find_table, verify
from bench.errors import DataError, Unavailable


@dataclass(frozen=True, slots=True)
class VectorSet:
    """train float32 [items, D] to search; test float32 [requests, D] to ask; neighbors int32 [requests, K], nearest
    first, or None; distance: "euclidean", "cosine" or "inner product"."""

    title: str
    train: NDArray[np.float32]
    test: NDArray[np.float32]
    neighbors: NDArray[np.int32] | None
    distance: str


def load_vectors(name: str, *, cache: Path, data_root: Path | None, progress: Progress | None = None) -> VectorSet:
    """The vectors of a card that has some; raises DataError."""
    card = find_card(name)
    return read_vectors(card, located(card, cache=cache, data_root=data_root, progress=progress))


def located(card: Card, *, cache: Path, data_root: Path | None, progress: Progress | None = None) -> dict[str, Located]:
    """The files of a card with vectors by name, verified; raises DataError."""
    if card.vectors is None:
        raise DataError(f"{card.name} has no vectors: load it by bench.data.dataset.load_dataset")
    said = card.vectors
    names = [said.file] if said.file else [one for one in (said.train, said.test, said.neighbors) if one]
    found = {}
    for name in names:
        table = Table((Source(name, "vectors", {}),))
        found[name] = find_table(card, table, data_root=data_root, cache=cache, progress=progress)
        verify(card, found[name], cache)
    return found


def read_vectors(card: Card, found: Mapping[str, Located]) -> VectorSet:
    """What the located files hold; raises DataError, and Unavailable where an HDF5 file needs h5py."""
    said = card.vectors
    assert said is not None
    wanted = {"train": said.train, "test": said.test} | ({"neighbors": said.neighbors} if said.neighbors else {})
    if said.file:
        arrays = _arrays(found[said.file].path, wanted)
        where = str(found[said.file].path)
    else:
        arrays = {role: _alone(found[name].path) for role, name in wanted.items()}
        where = card.name
    if any(array.ndim != 2 for array in arrays.values()):
        raise DataError(f"{where}: not every array has two dimensions. Correct [vectors] in the card.")
    train, test = (np.asarray(arrays[role], np.float32) for role in ("train", "test"))
    neighbors = np.asarray(arrays["neighbors"], np.int32) if "neighbors" in arrays else None
    if train.shape[1] != test.shape[1]:
        raise DataError(f"{where}: {said.train} has {train.shape[1]} dimensions and {said.test} {test.shape[1]}.")
    if neighbors is not None and len(neighbors) != len(test):
        raise DataError(f"{where}: {len(neighbors):,} rows of neighbours for {len(test):,} vectors that are asked.")
    return VectorSet(card.title, train, test, neighbors, said.distance)


def _arrays(path: Path, wanted: Mapping[str, str]) -> dict[str, NDArray[Any]]:
    """Arrays of an .npz or HDF5 file (the layout of ann-benchmarks) by role."""
    try:
        if path.suffix in (".hdf5", ".h5"):
            try:
                import h5py
            except ImportError as error:
                raise Unavailable(f"{path.name} needs h5py: pip install 'bench[hdf5]'") from error
            with h5py.File(path) as file:
                return {role: np.asarray(file[name]) for role, name in wanted.items()}
        with np.load(path, allow_pickle=False) as file:
            return {role: file[name] for role, name in wanted.items()}
    except KeyError as error:
        raise DataError(f"{path}: {error.args[0]}. Correct [vectors] in the card.") from error
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}. Copy or download it again.") from error


def _alone(path: Path) -> NDArray[Any]:
    """The array of a file of its own: .npy, or rows that each begin with their length: .fvecs, .ivecs, .bvecs."""
    kinds = {".fvecs": np.float32, ".ivecs": np.int32, ".bvecs": np.uint8}
    try:
        if path.suffix == ".npy":
            plain: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
            return plain
        if path.suffix not in kinds:
            raise DataError(f"{path}: vectors are read from .npy, .fvecs, .ivecs, .bvecs, and .npz or .hdf5 by `file`.")
        kind = np.dtype(kinds[path.suffix])
        octets = np.memmap(path, np.uint8, "r")
        width = 4 + int(octets[:4].view(np.int32)[0]) * kind.itemsize
        rows = octets.reshape(-1, width)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}. Copy or download it again.") from error
    if (rows[:, :4] != rows[0, :4]).any():
        raise DataError(f"{path} is damaged: not all of its vectors are of one length. Copy or download it again.")
    return np.ascontiguousarray(rows[:, 4:]).view(kind)
