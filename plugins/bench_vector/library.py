"""What the libraries of nearest neighbours that are extras have in common."""

from __future__ import annotations

import shutil
import weakref
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, ClassVar

import numpy as np

from bench import Unavailable
from bench_vector.backends import Effort, Found, Ids, Metric, Positions, Vectors, flattened, levelled, rescored


@dataclass(frozen=True, slots=True)
class Build:
    """How an index is built; each library reads what is its own. m: links of a node; lists: leaves of a partition;
    code_bytes: of a compressed vector."""

    m: int = 16
    ef_construction: int = 200
    lists: int = 1
    code_bytes: int = 16
    seed: int = 0
    threads: int = 1


class Library(ABC):
    """An index of a library over vectors float32 [C, D].

    Graphs compare distances, inner products made such (`levelled`). What is found is scored by the vectors themselves,
    so that no library's own scores show, unless its class says so. The effort is given with each search, so it cannot
    be lost with a file.
    """

    module: ClassVar[str]
    graph: ClassVar[bool] = True

    def __init__(self, vectors: Vectors, ids: Ids, metric: Metric) -> None:
        """Raises Unavailable, with the command that installs the library, where it is missing."""
        self.vectors, self.ids, self.metric = vectors, ids, metric
        extra = type(self).__name__.lower()
        try:
            self.library: Any = import_module(self.module)
        except ImportError as error:
            raise Unavailable(f"backend={extra} needs {self.module} ({error}): pip install 'bench[{extra}]'") from error

    @classmethod
    def build(cls, vectors: Vectors, ids: Ids, how: Build, metric: Metric = "inner") -> Library:
        """An index of all vectors; with one thread the same each time, where its class says nothing else."""
        made = cls(vectors, ids, metric)
        if len(vectors):
            shown = levelled(vectors) if cls.graph and metric == "inner" else vectors
            made.make(np.ascontiguousarray(shown, np.float32), how)
        return made

    @classmethod
    def open(cls, vectors: Vectors, ids: Ids, folder: Path, metric: Metric = "inner") -> Library:
        """What `save` wrote."""
        made = cls(vectors, ids, metric)
        if len(vectors):
            made.read(folder)
        return made

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        asked = flattened(users) if self.graph and self.metric == "inner" else users
        positions, spent = self.near(np.ascontiguousarray(asked, np.float32), k, effort, threads)
        return Found(*rescored(users, self.vectors, positions, k, self.metric), spent)

    def save(self, folder: Path) -> None:
        if len(self.vectors):
            self.write(folder)

    @abstractmethod
    def make(self, shown: Vectors, how: Build) -> None:
        """Build over the vectors as the library is to see them."""

    @abstractmethod
    def near(self, asked: Vectors, k: int, effort: Effort, threads: int) -> tuple[Positions, int | None]:
        """Positions int64 [B, K], -1 where fewer are found, and how many vectors were compared if the library tells."""

    @abstractmethod
    def write(self, folder: Path) -> None:
        """Write the index."""

    @abstractmethod
    def read(self, folder: Path) -> None:
        """Read what `write` wrote."""


class OnDisk(Library):
    """A library whose index is a folder: it lies in a temporary one until it is saved."""

    FOLDER: ClassVar[str]

    def make(self, shown: Vectors, how: Build) -> None:
        scratch = mkdtemp(prefix="bench-")
        weakref.finalize(self, shutil.rmtree, scratch, ignore_errors=True)
        self.fill(Path(scratch) / self.FOLDER, shown, how)
        self.read(Path(scratch))

    @abstractmethod
    def fill(self, place: Path, shown: Vectors, how: Build) -> None:
        """Build the index in a folder that is not there yet."""

    def read(self, folder: Path) -> None:
        self.place = folder / self.FOLDER
        self.index = self.opened()

    @abstractmethod
    def opened(self) -> Any:
        """The index that lies at `place`."""

    def write(self, folder: Path) -> None:
        shutil.copytree(self.place, folder / self.FOLDER, dirs_exist_ok=True)
