"""Vectors of a tree's nodes: leaves are items, inner nodes have embeddings of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.encoders import SPREAD, looked_up
from bench_neural.network import Network
from bench_neural.scorers import Asked
from bench_neural.storage import load_arrays, save_weights
from bench_neural.vocabulary import WIDEST
from bench_tree.tree import Tree

ID_SCALE = 0.1  # of an inner node's vector at first, where nothing is learnt


class Nodes(nn.Module):
    """What the scorer compares a request with, at each node of a tree.

    A leaf has its item's vector from the network (id and side information). An inner node has a vector and a bias of
    its own; at first the mean of the vectors of the items below, where those are learnt (`means`), else a small random
    one, and the logarithm of the interactions of the items below around their mean over its level. With `lifted`, the
    side information of the items below is added: the mean of their features' embeddings, of its most common codes.

    Nodes are numbered as in Tree. The network must be bound to a catalog that has the tree's items.
    """

    leaf_items: Tensor
    codes: Tensor
    weights: Tensor

    def __init__(self, start: Tensor, leaf_items: Tensor, codes: Tensor, weights: Tensor) -> None:
        """start (inner nodes, d + 1), the bias last; leaf_items int64 (leaves,); codes int32 and weights float32 (inner
        nodes, W), of no width where side information is not lifted."""
        super().__init__()
        self.inner = len(start)
        self.table = nn.Parameter(start)
        self.register_buffer("leaf_items", leaf_items)
        self.register_buffer("codes", codes)
        self.register_buffer("weights", weights)

    @classmethod
    def planted(cls, network: Network, tree: Tree, means: Tensor | None, logs: Tensor, lifted: bool) -> Nodes:
        """Untrained ones: means (inner nodes, d) or None; logs (inner nodes,): the biases at first."""
        inner, dim = int(tree.begins[-2]), network.encoder.dim
        start = torch.randn(inner, dim) * SPREAD * ID_SCALE * dim**-0.5 if means is None else means
        start = torch.cat([start, logs[:, None].to(start)], 1)
        codes, weights = np.zeros((inner, 0), np.int32), np.zeros((inner, 0), np.float32)
        if lifted:
            codes, weights = lifted_codes(tree, network)
        items = torch.from_numpy(tree.items.astype(np.int64))
        return cls(start, items, torch.from_numpy(codes), torch.from_numpy(weights))

    def moved(self, network: Network, tree: Tree) -> Nodes:
        """These nodes with the items of `tree` on the leaves, a tree of the same shape."""
        moved = Nodes.planted(network, tree, None, self.table.new_zeros(self.inner), bool(self.codes.shape[1]))
        moved.table.data.copy_(self.table.data)
        return moved.to(self.table.device)

    def save(self, folder: Path) -> None:
        """Write the nodes into `folder`."""
        save_weights(folder / "nodes.safetensors", self)

    @classmethod
    def load(cls, folder: Path, device: str) -> Nodes:
        """Read what `save` wrote."""
        arrays = load_arrays(folder / "nodes.safetensors")
        parts = (torch.from_numpy(arrays[name]) for name in ("table", "leaf_items", "codes", "weights"))
        return cls(*parts).to(device).eval()

    def above(self, network: Network, nodes: Tensor) -> Tensor:
        """Vectors (n, d + 1) of the inner nodes int64 (n,)."""
        vectors = looked_up(nodes, self.table)
        if self.codes.shape[1]:
            features = network.encoder.features(self.codes[nodes], self.weights[nodes])
            vectors = vectors + functional.pad(features, (0, 1))
        return vectors


def lifted_codes(tree: Tree, network: Network) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The commonest codes int32 [inner nodes, W] of the side information below each inner node, and their weights.

    Weights sum to at most 1 a feature that is known: the share of the node's items that a code describes.
    """
    leaf_codes = network.encoder.codes.cpu().numpy()[tree.items]  # (N, W')
    leaf_weights = network.encoder.weights.cpu().numpy()[tree.items]
    inner = int(tree.begins[-2])
    codes, weights = np.zeros((inner, WIDEST), np.int32), np.zeros((inner, WIDEST), np.float32)
    node, code, weight = (np.zeros(0, kind) for kind in (np.int64, np.int64, np.float64))
    for level in range(tree.height - 1, -1, -1):
        if level == tree.height - 1:  # from the leaves, where each holds W' codes of its own
            leaves = np.arange(tree.begins[-2], tree.begins[-1])
            node = np.repeat(tree.parents[leaves].astype(np.int64), leaf_codes.shape[1])
            code, weight = leaf_codes.ravel().astype(np.int64), leaf_weights.ravel().astype(np.float64)
        else:
            node = tree.parents[node].astype(np.int64)
        size = int(network.encoder.features.vocabulary.size)
        pairs, place = np.unique(node * size + code, return_inverse=True)
        weight = np.bincount(place, weight)
        node, code = np.divmod(pairs, size)
        order = np.lexsort((-weight, node))
        first = np.searchsorted(node[order], node[order])
        rank = np.arange(len(order)) - first
        kept = order[(rank < WIDEST) & (weight[order] > 0)]
        rank = rank[(rank < WIDEST) & (weight[order] > 0)]
        codes[node[kept], rank] = code[kept]
        weights[node[kept], rank] = weight[kept] / tree.counts[node[kept]]
    return codes, weights


def biases(tree: Tree, counts: NDArray[np.int64]) -> Tensor:
    """Log of the interactions below each inner node, around the mean of its level: float32 (inner nodes,).

    counts int64 [items]: the training interactions of each catalog id.
    """
    below = tree.sums(counts[tree.items].astype(np.float32))[: tree.begins[-2]]
    logs = np.log(np.maximum(below, 0.5))
    for begin, end in zip(tree.begins[:-2], tree.begins[1:-1], strict=True):
        logs[begin:end] -= logs[begin:end].mean()
    return torch.from_numpy(logs.astype(np.float32))


def means(tree: Tree, vectors: Tensor) -> Tensor:
    """The mean over the items below of vectors (catalog, d), of each inner node: (inner nodes, d)."""
    numbers = vectors.detach().cpu().numpy()[tree.items]
    inner = int(tree.begins[-2])
    return torch.from_numpy(tree.sums(numbers)[:inner] / tree.counts[:inner, None].astype(np.float32))


class Raised:
    """What the scorer asks with on a level above the leaves, when behaviours are met as their ancestors on that level.

    The hierarchical user representation of JTM (NeurIPS 2019, section 3.3). Departure: the user's state, and with it
    the inner product, stays that of the items met; only what the scorer looks at changes. path int (items, height + 1):
    the nodes from the root to each catalog id's leaf.
    """

    def __init__(self, network: Network, nodes: Nodes, path: Tensor) -> None:
        self.network, self.nodes, self.path = network, nodes, path

    def asked(self, level: int, at: Tensor, states: Tensor, history: Tensor) -> Asked:
        """At the moments at int64 (B, M), row by row B * M; states (B, L + 1, d) of the user network, history int64
        (B, L): the items met, -1 after the end."""
        met, place = torch.unique(self.path[history.clamp(min=0), level].long(), return_inverse=True)
        vectors = self.nodes.above(self.network, met)[:, :-1]
        return self.network.moments(at, states, functional.embedding(place, vectors))
