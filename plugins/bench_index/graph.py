"""A layered proximity graph as plain arrays: the common form of every graph index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import DataError, Ragged


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes 0 .. N - 1, sorted by the highest layer that they reach, so that each layer holds a prefix of them.

    items int32 [N], the catalog id of each node, -1 - id for one that has left the catalog: it is expanded like any
    other but never answered; layers[l], the links of layer l in CSR form (a Ragged of int32 node numbers: values and
    row splits, as in the DVF article), 0 the bottom with all N nodes, each higher one shorter. The rows that a layer
    has in item-side arrays can thus be had as the slice [: len(layers[l])] without a gather.
    """

    items: NDArray[np.int32]
    layers: tuple[Ragged, ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def sizes(self) -> list[int]:
        """The number of nodes of each layer, the bottom first."""
        return [len(layer) for layer in self.layers]

    def without(self, items: NDArray[np.integer]) -> Graph:
        """This graph when `items` (catalog ids, in any order) have left the catalog: its links stay as they are."""
        return replace(self, items=np.where(np.isin(self.items, items), -1 - self.items, self.items))

    @property
    def ids(self) -> NDArray[np.int32]:
        """int32 [N]: the catalog id of each node, of those that have left it too."""
        return np.where(self.items < 0, -1 - self.items, self.items)

    def save(self, folder: Path) -> None:
        """Write `items.npy` and two arrays a layer into `folder`."""
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        for level, layer in enumerate(self.layers):
            np.save(folder / f"layer{level}.offsets.npy", layer.offsets, allow_pickle=False)
            np.save(folder / f"layer{level}.links.npy", layer.values, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Graph:
        """Memory-map what `save` wrote; raises DataError where a file is missing or does not fit the others."""

        def array(name: str) -> NDArray[np.generic]:
            try:
                found: NDArray[np.generic] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise DataError(f"{folder / name}: {error}; delete {folder} and build the index again") from error
            return found

        layers = []
        while (folder / f"layer{len(layers)}.offsets.npy").exists():
            name = f"layer{len(layers)}"
            layers.append(Ragged(array(f"{name}.offsets.npy"), array(f"{name}.links.npy")))  # type: ignore[arg-type]
        items = array("items.npy")
        whole = bool(layers) and len(layers[0]) == len(items)
        if not whole or any(int(layer.offsets[-1]) != len(layer.values) for layer in layers):
            raise DataError(f"{folder}: the graph's files do not fit together; delete it and build the index again")
        return cls(items, tuple(layers))  # type: ignore[arg-type]


def from_levels(
    levels: NDArray[np.integer],
    items: NDArray[np.int32],
    layers: Sequence[Ragged],
    near: NDArray[np.integer] | None = None,
) -> Graph:
    """The Graph of nodes in any order: levels int [N], the highest layer of each; layers[l] has a row for all N nodes
    (empty where a node does not reach l) whose values are numbers in the old order.

    near: int [N], what nodes with the same highest layer are sorted by (the place of each in a locality order, so that
    a search reads near rows of the item-side arrays together); without it they keep the order given.
    """
    levels = np.asarray(levels, np.int64)
    order = np.lexsort((np.arange(len(levels)) if near is None else near, -levels))  # new -> old
    renamed = np.empty(len(order), np.int32)
    renamed[order] = np.arange(len(order), dtype=np.int32)
    sorted_layers = []
    for level, layer in enumerate(layers):
        rows = layer.take(order[: int((levels >= level).sum())])
        sorted_layers.append(Ragged(rows.offsets, renamed[rows.values]))
    return Graph(np.ascontiguousarray(np.asarray(items)[order], np.int32), tuple(sorted_layers))
