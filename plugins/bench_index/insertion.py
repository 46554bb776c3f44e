"""New items enter a graph without building it again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.graph import Graph
from bench_index.knn import cells, near_cells
from bench_index.locality import locality_order
from bench_index.prune import both_ways, connected, occluded, ragged, stacked

PROBES = 16  # cells that a new vector is compared with


def insert(
    graph: Graph,
    vectors: NDArray[np.float32],
    new_vectors: NDArray[np.float32],
    new_items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 96,
    alpha: float = 1.0,
    threads: int = 1,
) -> Graph:
    """`graph` with the catalog ids new_items int32 [B] as its last B nodes, on the bottom layer, in a locality order.

    vectors float32 [N, D] of the graph's nodes, new_vectors float32 [B, D] of the new items in the order of new_items.
    links: twice as many links a node at the bottom; effort: near neighbours, old and new, among which a new node's
    links are chosen by the occlusion rule; alpha: see `occluded`. A node that a new one is linked to is linked back;
    where it then has too many links, the rule decides which it keeps, and the nearest fill the rest. Links are added
    until every node is reachable. The links of other nodes and the upper layers stay as they are.
    """
    if not len(new_items):
        return graph
    order = locality_order(np.asarray(new_vectors, np.float32), threads)
    items = np.concatenate([graph.items, np.asarray(new_items, np.int32)[order]])
    rows = np.concatenate([vectors, new_vectors[order]]).astype(np.float32)
    rows -= rows.mean(0)
    near = _near(rows, graph, effort, threads)
    new = np.arange(len(graph), len(rows))
    chosen = occluded(rows, ragged(near, (near >= 0).sum(1)), 2 * links, alpha=alpha, nodes=new, threads=threads)
    before = stacked(Ragged.empty(len(graph)), chosen)
    linked = both_ways(before)
    bottom = stacked(graph.layers[0], Ragged.empty(len(new)))
    touched = np.flatnonzero(linked.lengths)
    union = _side_by_side(bottom.take(touched), linked.take(touched))
    kept = occluded(rows, union, 2 * links, alpha=alpha, least=2 * links, nodes=touched, threads=threads)
    source = np.arange(len(rows))
    source[touched] = len(rows) + np.arange(len(touched))
    bottom = stacked(bottom, kept).take(source)
    entries = graph.sizes[1] if len(graph.layers) > 1 else 1
    return Graph(items, (connected(bottom, rows, entries, threads=threads), *graph.layers[1:]))


def _near(rows: NDArray[np.float32], graph: Graph, k: int, threads: int) -> NDArray[np.int32]:
    """The k nearest nodes, old and new, int32 [B, k], to each new one: the last rows of rows float32 [N + B, D].

    The old nodes of each level and the new ones stand in locality orders: runs of them are cells.
    """
    old, new = len(graph), len(rows) - len(graph)
    bounds = np.concatenate([cells(old), graph.sizes, old + cells(new)])
    return near_cells(rows[old:], rows, np.unique(bounds), k, probes=PROBES, first=old, threads=threads)[0]


def _side_by_side(one: Ragged, other: Ragged) -> Ragged:
    """Each row of one followed by the same row of other."""
    both = stacked(one, other)
    rows = np.arange(2 * len(one)).reshape(2, -1).T.ravel()
    joined = both.take(rows)
    return Ragged(joined.offsets[::2], joined.values)
