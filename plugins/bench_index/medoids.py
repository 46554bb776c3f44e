"""A tree of k-medoids with items as inner nodes, in the form of a Graph: the other index of NANN (CIKM 2022)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.graph import Graph, from_levels
from bench_index.knn import cells, near_cells
from bench_index.locality import locality_order

PROBES = 8  # cells whose medoids an item is compared with


def build_medoids(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 4,
    seed: int = 0,
    threads: int = 1,
) -> Graph:
    """The k-medoids tree (L2) over vectors float32 [N, D] of the catalog ids items int32 [N].

    links: children a node, on average; effort: rounds of k-medoids on each level; seed: of the first medoids. Layer l
    of the graph links each node of level l + 1 or higher to its children on level l. Every node is also its own child,
    without a link; a node whose highest level is l has no links on layer l. So a search scores the whole of a layer and
    goes down by expanding its beam once on each layer below.
    The tree grows from the leaves. One item of every `links` in a locality order is a medoid at first; each item goes
    to the nearest medoid (among those of the nearest cells), and the member nearest to the mean of each cluster becomes
    its medoid, `effort` times; the medoids are clustered in the same way until at most `links` are left.
    """
    vectors = np.asarray(vectors, np.float32)
    order = locality_order(vectors, threads)
    vectors = vectors[order]
    if len(vectors):
        vectors -= vectors.mean(0)
    rng = np.random.default_rng(seed)
    levels, nodes, layers = np.zeros(len(order), np.int64), np.arange(len(order)), []
    while len(nodes) > links:
        medoids, nearest = clustered(vectors[nodes], links, effort, rng, threads)
        parents = nodes[medoids[nearest]]
        children = np.flatnonzero(parents != nodes)
        children = children[np.argsort(parents[children], kind="stable")]
        layers.append(Ragged.from_keys(parents[children], nodes[children].astype(np.int32), len(order)))
        nodes = nodes[medoids]
        levels[nodes] += 1
    layers.append(Ragged.empty(len(order)))
    return from_levels(levels, np.asarray(items, np.int32)[order], layers)


def clustered(
    vectors: NDArray[np.float32], size: int, rounds: int, rng: np.random.Generator, threads: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Clusters of about `size` of vectors float32 [N, D] in a locality order: their medoids, int64 [C] ascending, and
    the cluster of each vector, int64 [N]. A medoid is in its own cluster."""
    begins = np.arange(0, len(vectors), size)
    medoids = begins + rng.integers(np.diff(np.append(begins, len(vectors))))
    nearest = _assigned(vectors, medoids, threads)
    for _ in range(rounds):
        members = np.argsort(nearest, kind="stable")
        starts = np.searchsorted(nearest[members], np.arange(len(medoids)))
        sums = np.add.reduceat(vectors[members], starts, axis=0)
        means = sums / np.diff(np.append(starts, len(members)))[:, None].astype(np.float32)
        away = np.square(vectors - means[nearest]).sum(1)
        best = members[np.lexsort((away[members], nearest[members]))][starts]
        medoids = np.sort(best)
        nearest = _assigned(vectors, medoids, threads)
    return medoids, nearest


def _assigned(vectors: NDArray[np.float32], medoids: NDArray[np.int64], threads: int) -> NDArray[np.int64]:
    """The place in `medoids` of the nearest one to each vector, and of each medoid its own."""
    bounds = np.searchsorted(medoids, cells(len(vectors)))
    near, _ = near_cells(vectors, vectors[medoids], bounds, 1, probes=PROBES, threads=threads)
    found = near[:, 0].astype(np.int64)
    found[medoids] = np.arange(len(medoids))
    return found
