"""What DVF's index holds: item vectors, the scorer's item side, and the graph over them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Catalog
from bench_index.device import DeviceGraph
from bench_index.graph import Graph
from bench_index.insertion import insert
from bench_neural.network import Network
from bench_neural.table import ROWS_AT_ONCE, load_table, prepared, save_table


@dataclass(frozen=True, slots=True)
class Index:
    """vectors (N, d + 1) of the catalog; table (C, width): the scorer's item side of the graph's C nodes, in its order,
    float32 or bfloat16; graph: over the items that may be answered, on_device the same as tensors where the others are
    on an accelerator.
    """

    vectors: Tensor
    table: Tensor
    graph: Graph
    on_device: DeviceGraph | None

    @classmethod
    def of(cls, vectors: Tensor, table: Tensor, graph: Graph) -> Index:
        """An index of these parts, wherever the tensors are."""
        device = vectors.device
        return cls(vectors, table, graph, None if device.type == "cpu" else DeviceGraph.of(graph, str(device)))

    def save(self, folder: Path) -> None:
        """Write everything into `folder`."""
        self.graph.save(folder)
        np.save(folder / "vectors.npy", self.vectors.cpu().numpy(), allow_pickle=False)
        save_table(folder / "table.npy", self.table)

    @classmethod
    def load(cls, folder: Path, device: str) -> Index:
        """Read what `save` wrote; graph and vectors are memory-mapped, the table is read (see `load_table`)."""
        vectors = torch.from_numpy(np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)).to(device)
        return cls.of(vectors, load_table(folder / "table.npy", device), Graph.load(folder))


def rows(network: Network, vectors: Tensor, items: NDArray[np.int32], bfloat16: bool = False) -> Tensor:
    """The scorer's item side (n, width) of some items, given all vectors (N, d + 1)."""
    where = torch.from_numpy(np.asarray(items, np.int64)).to(vectors.device)
    return prepared(network.scorer, len(items), (vectors[some] for some in where.split(ROWS_AT_ONCE)), bfloat16)


def placed(vectors: Tensor, items: NDArray[np.int32], bias_weight: float) -> NDArray[np.float32]:
    """Where items lie for the graph: their vectors float32 [n, d + 1], with the bias weighed."""
    chosen = vectors.cpu().numpy()[items]
    chosen[:, -1] *= bias_weight
    return chosen


def updated(
    index: Index,
    network: Network,
    catalog: Catalog,
    added: NDArray[np.int32],
    removed: NDArray[np.int32],
    *,
    bias_weight: float,
    links: int,
    threads: int,
) -> Index:
    """`index` with nodes for the added items, from their side information, and without answers that were removed."""
    network.encoder.bind(catalog)
    vectors, table = network.items(), index.table
    graph = index.graph.without(removed) if len(removed) else index.graph
    if len(added):
        old, new = (placed(vectors, items, bias_weight) for items in (graph.ids, added))
        graph = insert(graph, old, new, added, links=links, threads=threads)
        more = rows(network, vectors, graph.items[len(index.graph) :], table.dtype == torch.bfloat16)
        table = torch.cat([table, more])
    return Index.of(vectors, table, graph)
