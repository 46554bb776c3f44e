"""The graph of HNSW (Malkov and Yashunin, TPAMI 2020), built by faiss and taken out as arrays."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.graph import Graph, from_levels

BLOCK = 1 << 17  # nodes taken out at once: bounds the padded copy


def build_hnsw(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 40,
) -> Graph:
    """The HNSW graph (L2) over vectors float32 [N, D] of the catalog ids items int32 [N].

    links: M, the links a node on the upper layers (twice as many at the bottom); effort: efConstruction. One thread
    builds it, since the order of insertion decides the links: the same vectors always give the same graph.
    A node that no link leads to is linked from its own nearest neighbour, so that a search can find every node.
    """
    if len(vectors) < 2:
        return Graph(np.asarray(items, np.int32), (Ragged.empty(len(vectors)),))
    index = _add(np.ascontiguousarray(vectors, np.float32), links, effort)
    levels = faiss.vector_to_array(index.hnsw.levels).astype(np.int64) - 1
    layers = [_layer(index.hnsw, levels, level) for level in range(int(levels.max()) + 1)]
    layers[0] = link_orphans(layers[0])
    return from_levels(levels, items, layers)


def _add(vectors: NDArray[np.float32], links: int, effort: int) -> faiss.IndexHNSWFlat:
    index = faiss.IndexHNSWFlat(vectors.shape[1], links)
    index.hnsw.efConstruction = effort
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        index.add(vectors)
    finally:
        faiss.omp_set_num_threads(threads)
    return index


def _layer(hnsw: faiss.HNSW, levels: NDArray[np.int64], level: int) -> Ragged:
    """The links of one layer for all nodes, from faiss's table of fixed width that -1 pads."""
    starts = faiss.vector_to_array(hnsw.offsets).astype(np.int64)[:-1]
    table = faiss.vector_to_array(hnsw.neighbors)
    before, width = hnsw.cum_nb_neighbors(level), hnsw.nb_neighbors(level)
    counts, values = np.zeros(len(levels), np.int64), []
    nodes = np.flatnonzero(levels >= level)
    for begin in range(0, len(nodes), BLOCK):
        some = nodes[begin : begin + BLOCK]
        block = table[(starts[some] + before)[:, None] + np.arange(width)]  # (block, width)
        counts[some] = (block >= 0).sum(1)
        values.append(block[block >= 0])
    return Ragged(np.concatenate([[0], np.cumsum(counts)]), np.concatenate(values).astype(np.int32))


def link_orphans(layer: Ragged) -> Ragged:
    """`layer` with a link to each node that has none, from the first node that it links to itself."""
    nodes = np.arange(len(layer))
    reached = np.bincount(layer.values, minlength=len(layer)) > 0
    orphans = nodes[~reached & (layer.lengths > 0)]
    if not len(orphans):
        return layer
    hosts = layer.values[layer.offsets[orphans]]
    rows = np.concatenate([layer.rows(), hosts])
    order = np.argsort(rows, kind="stable")
    return Ragged.from_keys(rows[order], np.concatenate([layer.values, orphans.astype(np.int32)])[order], len(layer))
