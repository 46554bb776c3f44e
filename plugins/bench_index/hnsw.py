"""The graph of HNSW (Malkov and Yashunin, TPAMI 2020), built by faiss or hnswlib and taken out as arrays."""

from __future__ import annotations

from typing import Literal

import faiss
import hnswlib
import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.graph import Graph, from_levels
from bench_index.layered import reachable
from bench_index.locality import locality_order
from bench_index.prune import ragged

BLOCK = 1 << 17  # nodes taken out at once: bounds the padded copy


def build_hnsw(
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int = 32,
    effort: int = 40,
    library: Literal["faiss", "hnswlib"] = "faiss",
    seed: int = 0,
    threads: int = 1,
) -> Graph:
    """The HNSW graph (L2) over vectors float32 [N, D] of the catalog ids items int32 [N].

    links: M, the links a node on the upper layers (twice as many at the bottom); effort: efConstruction; seed: of the
    levels, for hnswlib alone (faiss draws them always alike). One thread inserts, since the order of insertion decides
    the links: the same vectors always give the same graph; `threads` only help to order the nodes by locality.
    Where a library's links lead to a node from nowhere, links are added: see `reachable`.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    if len(vectors) < 2:
        return Graph(np.asarray(items, np.int32), (Ragged.empty(len(vectors)),))
    build = {"faiss": _faiss, "hnswlib": _hnswlib}[library]
    near = np.empty(len(vectors), np.int64)
    near[locality_order(vectors, threads)] = np.arange(len(vectors))
    levels, layers = build(vectors, links, effort, seed)
    order = np.lexsort((near, -levels))
    return reachable(from_levels(levels, items, layers, near), vectors[order], threads)


def _faiss(vectors: NDArray[np.float32], links: int, effort: int, seed: int) -> tuple[NDArray[np.int64], list[Ragged]]:
    """The highest layer of each node, and each layer with a row for all N nodes."""
    index = _add(vectors, links, effort)
    levels = faiss.vector_to_array(index.hnsw.levels).astype(np.int64) - 1
    return levels, [_layer(index.hnsw, levels, level) for level in range(int(levels.max()) + 1)]


def _hnswlib(
    vectors: NDArray[np.float32], links: int, effort: int, seed: int
) -> tuple[NDArray[np.int64], list[Ragged]]:
    """As `_faiss`, from the arrays in which hnswlib hands out its state: for each node its links at the bottom as a
    count (two bytes of four) and a table of fixed width, and in the same form one list for each layer above.
    """
    index = hnswlib.Index("l2", vectors.shape[1])
    index.init_index(len(vectors), M=links, ef_construction=effort, random_seed=seed)
    index.add_items(vectors, num_threads=1)
    (state,) = index.__getstate__()
    levels = state["element_levels"].astype(np.int64)
    bottom = state["data_level0"].reshape(len(levels), -1)[:, state["offset_level0"] :]
    upper = state["link_lists"].reshape(-1, state["size_links_per_element"])
    starts = np.cumsum(levels) - levels  # of each node's lists among those of the upper layers
    layers = []
    for level in range(int(levels.max()) + 1):
        nodes, width = np.flatnonzero(levels >= level), links if level else 2 * links
        lists = upper[starts[nodes] + level - 1] if level else bottom
        table = np.zeros((len(levels), 1 + width), np.int32)
        table[nodes] = np.ascontiguousarray(lists[:, : 4 * (1 + width)]).view(np.int32)
        layers.append(ragged(table[:, 1:], table[:, 0] & 0xFFFF))
    return levels, layers


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
