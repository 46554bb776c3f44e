"""The graphs that DVF searches, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench import Ragged
from bench_index.covisits import with_covisits
from bench_index.graph import Graph
from bench_index.hnsw import build_hnsw
from bench_index.layered import build_knn, build_layered
from bench_index.medoids import build_medoids

STRUCTURES = ("layered", "hnsw", "hnswlib", "knn", "medoids")


def build(
    structure: str,
    vectors: NDArray[np.float32],
    items: NDArray[np.int32],
    *,
    links: int,
    effort: int,
    covisits: Ragged,
    covisited: int,
    seed: int,
    threads: int,
) -> Graph:
    """The graph over vectors float32 [N, D] of the catalog ids items int32 [N].

    links, seed, threads: see the builders; effort: 0 for the builder's own; covisits: see bench_index.covisits, of
    which each node gets up to `covisited` further links at the bottom.
    """
    settings = {"links": links, "seed": seed, "threads": threads} | ({"effort": effort} if effort else {})
    if structure == "knn":
        graph = build_knn(vectors, items, links=links, seed=seed, threads=threads)
    elif structure == "layered":
        graph = build_layered(vectors, items, **settings)
    elif structure == "medoids":
        graph = build_medoids(vectors, items, **settings)
    else:
        library = "hnswlib" if structure == "hnswlib" else "faiss"
        graph = build_hnsw(vectors, items, library=library, **settings)
    if not covisited or structure == "medoids":
        return graph
    new = max(0, int(items.max(initial=-1)) + 1 - len(covisits))  # items that training knew nothing of
    offsets = np.concatenate([covisits.offsets, np.full(new, covisits.offsets[-1])])
    return with_covisits(graph, Ragged(offsets, covisits.values), covisited)
