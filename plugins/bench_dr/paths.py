"""Where items lie: each on a few paths through layers of nodes, and the trie of the paths that are in use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import DataError

NONE = -1  # a path that an item does not have
LARGEST = 1 << 62  # a path's number must fit int64


@dataclass(frozen=True)
class Paths:
    """Which paths each item lies on, of those through `layers` layers of `nodes` nodes.

    numbers int64 [N, J]: distinct in a row, NONE where an item has fewer. The path c_1 .. c_D has the number
    sum_d c_d nodes^(D - d), so paths that begin alike stand together. Raises ValueError where nodes^layers is no int64.
    """

    nodes: int
    layers: int
    numbers: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.nodes**self.layers > LARGEST:
            raise ValueError(f"{self.nodes} nodes on each of {self.layers} layers are more paths than can be numbered")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def codes(self) -> NDArray[np.int64]:
        """int64 [N, J, D]: the node of each layer; zeros where there is no path."""
        return codes_of(np.maximum(self.numbers, 0), self.nodes, self.layers)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """int64 [paths in use]: how many items lie on each."""
        numbers = self.numbers[self.numbers != NONE]
        return np.unique(numbers, return_counts=True)[1].astype(np.int64)

    def shares(self, moments: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much of its path each item has, float32 [N, J], those of a path adding up to 1: by how many `moments`
        [N, J] each had there; evenly where none had any."""
        used, place = np.unique(self.numbers, return_inverse=True)
        own = np.where(self.numbers == NONE, 0, np.maximum(moments, 1e-12)).astype(np.float64)
        whole = np.bincount(place.ravel(), own.ravel(), minlength=len(used))
        return (own / np.maximum(whole[place.reshape(own.shape)], 1e-300)).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write one array into `folder`."""
        np.save(folder / "paths.npy", self.numbers, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, nodes: int, layers: int) -> Paths:
        """Read what `save` wrote; raises DataError, with the item named, where a path is none of nodes^layers or an
        item has one twice."""
        file = folder / "paths.npy"
        try:
            numbers = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise DataError(f"{error}; delete {folder} and train again") from error
        if numbers.ndim != 2 or numbers.dtype != np.int64:
            raise DataError(f"{file}: {numbers.dtype} {list(numbers.shape)} is no table of paths; delete it")
        strange = np.flatnonzero(((numbers < NONE) | (numbers >= nodes**layers)).any(1))
        if len(strange):
            raise DataError(f"{file}: item {strange[0]} lies on a path that {layers} layers of {nodes} nodes lack")
        ordered = np.sort(numbers, 1)
        twice = np.flatnonzero(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NONE)).any(1))
        if len(twice):
            raise DataError(f"{file}: item {twice[0]} lies on the same path twice")
        return cls(nodes, layers, numbers)


def codes_of(numbers: NDArray[np.int64], nodes: int, layers: int) -> NDArray[np.int64]:
    """The nodes int64 [..., layers] of paths int64 [...]."""
    steps = nodes ** np.arange(layers - 1, -1, -1, dtype=np.int64)
    return numbers[..., None] // steps % nodes


def numbers_of(codes: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """The paths int64 [...] through nodes int64 [..., layers]."""
    steps = nodes ** np.arange(codes.shape[-1] - 1, -1, -1, dtype=np.int64)
    return (codes * steps).sum(-1)


@dataclass(frozen=True)
class Trie:
    """The paths in use as a tree of prefixes, and what lies at their ends.

    numbers int64 [P]: the paths, ascending; codes[d] int32 and first[d] int64: the prefixes of d + 1 nodes, ascending,
    of which first[d][r] .. first[d][r + 1] - 1 go on from the prefix r of d nodes (r = 0 is the empty one) by the node
    `codes`; offsets int64 [P + 1], items int32: what lies on each path, in the order in which it was given; weights
    float32: of each of these there.
    """

    numbers: NDArray[np.int64]
    codes: tuple[NDArray[np.int32], ...]
    first: tuple[NDArray[np.int64], ...]
    offsets: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, paths: Paths, order: NDArray[np.int32], weights: NDArray[np.float32]) -> Trie:
        """Over the items `order` int32 [n], which stand in this order on each path; weights float32 [N, J]: of each
        item on each of its paths."""
        rows = paths.numbers[order]  # (n, J)
        there = rows != NONE
        numbers, items, own = rows[there], np.repeat(order, there.sum(1)), weights[order][there]
        by_path = np.argsort(numbers, kind="stable")
        used, starts = np.unique(numbers[by_path], return_index=True)
        codes, first, before = [], [], np.zeros(1, np.int64)
        for layer in range(paths.layers):
            prefixes = np.unique(used // paths.nodes ** (paths.layers - 1 - layer))
            codes.append((prefixes % paths.nodes).astype(np.int32))
            parents = prefixes // paths.nodes
            first.append(np.concatenate([np.searchsorted(parents, before), [len(prefixes)]]).astype(np.int64))
            before = prefixes
        offsets = np.concatenate([starts, [len(numbers)]]).astype(np.int64)
        return cls(used, tuple(codes), tuple(first), offsets, items[by_path].astype(np.int32), own[by_path])

    def __len__(self) -> int:
        return len(self.numbers)
