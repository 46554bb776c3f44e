"""Layered graphs built from near neighbours with all cores: the same graph whatever the number of threads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.graph import Graph, from_levels
from bench_index.knn import neighbours, refine
from bench_index.locality import drawn_levels, locality_order
from bench_index.prune import both_ways, connected, occluded, ragged

PROBES = 10  # cells with whose members each vector is compared; REFINEMENTS make up for what lies farther
REFINEMENTS = (16, 32, 32)  # neighbours whose neighbours are looked at, round by round


def build_layered(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 96,
    alpha: float = 1.0,
    seed: int = 0,
    threads: int = 1,
) -> Graph:
    """The pruned neighbour graph (L2) over vectors float32 [N, D] of the catalog ids items int32 [N].

    links: the most links a node on the upper layers, twice as many at the bottom, and the ratio of the layers' sizes;
    effort: near neighbours among which a node's links are chosen; alpha: see `occluded`.
    Each layer is built as a whole: near neighbours by matrix products within near cells, refined (NN-descent), the
    occlusion rule, reverse links and the rule again, and links that make every node reachable. Near neighbours alone
    say little of a score that is no distance: see `with_covisits` for links that follow the answers to training
    requests.
    """

    def layer(rows: NDArray[np.float32], most: int) -> Ragged:
        near, distances = neighbours(rows, effort, probes=PROBES, threads=threads)
        for width in REFINEMENTS:
            near = refine(rows, near, distances, width=width, threads=threads)
        del distances
        candidates = ragged(near, (near >= 0).sum(1))
        chosen = occluded(rows, candidates, most, alpha=alpha, threads=threads)
        return occluded(rows, both_ways(chosen), most, alpha=alpha, threads=threads)

    return _built(vectors, items, layer, links, seed, threads)


def build_knn(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 0,
    seed: int = 0,
    threads: int = 1,
) -> Graph:
    """The exact nearest-neighbour graph (L2): each node is linked to its nearest on each layer, `effort` of them at the
    bottom (0: twice `links`) and `links` above, and to those that must be added so that every node is reachable. It
    takes time with the square of N. See `build_layered`.
    """

    def layer(rows: NDArray[np.float32], most: int) -> Ragged:
        near, _ = neighbours(rows, effort or most if len(rows) == len(items) else most, threads=threads)
        return ragged(near, (near >= 0).sum(1))

    return _built(vectors, items, layer, links, seed, threads)


def _built(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    layer: Callable[[NDArray[np.float32], int], Ragged],
    links: int,
    seed: int,
    threads: int,
) -> Graph:
    """The graph whose layers `layer(rows, most links)` builds over the nodes of each, in a locality order."""
    vectors = np.asarray(vectors, np.float32)
    order = locality_order(vectors, threads)
    vectors = vectors[order]
    if len(vectors):
        vectors -= vectors.mean(0)  # distances by inner products lose fewer digits
    levels = drawn_levels(len(order), links, seed)
    layers = []
    for level in range(int(levels.max(initial=0)) + 1):
        nodes = np.flatnonzero(levels >= level).astype(np.int32)
        found = layer(vectors[nodes], links if level else 2 * links)
        lengths = np.zeros(len(order), np.int64)
        lengths[nodes] = found.lengths
        layers.append(Ragged(np.concatenate([[0], np.cumsum(lengths)]), nodes[found.values]))
    graph = from_levels(levels, np.asarray(items, np.int32)[order], layers)
    return reachable(graph, vectors[np.argsort(-levels, kind="stable")], threads)


def reachable(graph: Graph, vectors: NDArray[np.float32], threads: int = 1) -> Graph:
    """`graph` with links added so that on each layer every node can be reached from the nodes of the next, and on the
    highest from its first; vectors float32 [N, D] of its nodes. See `connected`."""
    entries = [*graph.sizes[1:], 1]
    return Graph(
        graph.items,
        tuple(
            connected(layer, vectors, count, threads=threads)
            for layer, count in zip(graph.layers, entries, strict=True)
        ),
    )
