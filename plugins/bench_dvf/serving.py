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
        """Write everything into `folder`; bfloat16 as the upper halves of its numbers."""
        self.graph.save(folder)
        table = self.table.cpu()
        np.save(folder / "vectors.npy", self.vectors.cpu().numpy(), allow_pickle=False)
        halves = table.view(torch.int16) if table.dtype == torch.bfloat16 else table
        np.save(folder / "table.npy", halves.numpy(), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, device: str) -> Index:
        """Read what `save` wrote; the graph is memory-mapped, the table is read whole, since every search gathers from
        all of it and memory of one's own can have large pages."""
        vectors, table = (torch.from_numpy(np.load(folder / f"{name}.npy")) for name in ("vectors", "table"))
        table = table.view(torch.bfloat16) if table.dtype == torch.int16 else table
        return cls.of(vectors.to(device), table.to(device), Graph.load(folder))


def rows(network: Network, vectors: Tensor, items: NDArray[np.int32], bfloat16: bool = False) -> Tensor:
    """The scorer's item side (n, width) of some items, given all vectors (N, d + 1); made in blocks."""
    scorer = network.scorer
    numbers = np.empty((len(items), scorer.width), np.int16 if bfloat16 else np.float32)  # numpy's have large pages
    table = torch.from_numpy(numbers).to(vectors.device)
    table = table.view(torch.bfloat16) if bfloat16 else table
    where = torch.from_numpy(np.asarray(items, np.int64)).to(vectors.device)
    for begin in range(0, len(items), 1 << 15):
        part = slice(begin, begin + (1 << 15))
        table[part] = scorer.items(vectors[where[part]])
    return table


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
        known = np.where(graph.items >= 0, graph.items, 0)  # a removed node keeps its links, wherever it lies
        old, new = (placed(vectors, items, bias_weight) for items in (known, added))
        graph = insert(graph, old, new, added, links=links, threads=threads)
        more = rows(network, vectors, graph.items[len(index.graph) :], table.dtype == torch.bfloat16)
        table = torch.cat([table, more])
    return Index.of(vectors, table, graph)
