"""The first paths: drawn evenly, or from vectors that are learnt before, by residual k-means."""

from __future__ import annotations

import faiss
import numpy as np
from numpy.typing import NDArray

from bench_dr.paths import Paths, numbers_of

ITERATIONS = 20
SAMPLE = 256  # vectors a centroid that k-means looks at
ROWS_AT_ONCE = 1 << 11


def random_paths(items: int, nodes: int, layers: int, each: int, rng: np.random.Generator) -> Paths:
    """`each` distinct paths of every item, drawn evenly (Deep Retrieval, section 3.3)."""
    numbers = rng.integers(0, nodes**layers, (items, each), dtype=np.int64)
    for _ in range(100):
        ordered = np.sort(numbers, 1)
        twice = (ordered[:, 1:] == ordered[:, :-1]).any(1)
        if not twice.any():
            break
        numbers[twice] = rng.integers(0, nodes**layers, (int(twice.sum()), each), dtype=np.int64)
    return Paths(nodes, layers, numbers)


def residual_centroids(vectors: NDArray[np.float32], nodes: int, layers: int, seed: int) -> NDArray[np.float32]:
    """Centroids float32 [layers, nodes, d]: of the vectors float32 [N, d], then of what each layer's nearest leave.

    Where there are fewer vectors than nodes, the others lie far away and have nothing.
    """
    centroids = np.full((layers, nodes, vectors.shape[1]), 1e6, np.float32)
    rest = np.ascontiguousarray(vectors, np.float32)
    for layer in range(layers):
        count = min(nodes, len(np.unique(rest, axis=0)))
        means = faiss.Kmeans(
            rest.shape[1], count, niter=ITERATIONS, seed=seed + layer, max_points_per_centroid=SAMPLE,
            min_points_per_centroid=1,
        )  # fmt: skip
        means.train(rest)
        centroids[layer, :count] = means.centroids
        _, nearest = means.index.search(rest, 1)
        rest = rest - means.centroids[nearest[:, 0]]
    return centroids


def nearest_paths(vectors: NDArray[np.float32], centroids: NDArray[np.float32], each: int, beam: int = 16) -> Paths:
    """The `each` paths whose centroids add up nearest to each vector float32 [N, d], as a beam search finds them."""
    layers, nodes, _ = centroids.shape
    each = min(each, nodes**layers)
    parts = [
        _nearest(vectors[at : at + ROWS_AT_ONCE], centroids, each, max(beam, each))
        for at in range(0, len(vectors), ROWS_AT_ONCE)
    ]
    return Paths(nodes, layers, np.concatenate([np.zeros((0, each), np.int64), *parts]))


def _nearest(vectors: NDArray[np.float32], centroids: NDArray[np.float32], each: int, beam: int) -> NDArray[np.int64]:
    layers, nodes, _ = centroids.shape
    count = len(vectors)
    rest = vectors[:, None]  # (n, W, d): what the nodes so far leave
    codes = np.zeros((count, 1, 0), np.int64)
    for layer in range(layers):
        norms = (centroids[layer] ** 2).sum(1)
        away = (rest**2).sum(2)[:, :, None] - 2 * rest @ centroids[layer].T + norms  # (n, W, K)
        wide = away.reshape(count, -1)
        kept = min(beam, wide.shape[1])
        chosen = np.argpartition(wide, kept - 1, 1)[:, :kept]
        chosen = np.take_along_axis(chosen, np.argsort(np.take_along_axis(wide, chosen, 1), 1, kind="stable"), 1)
        before, node = chosen // nodes, chosen % nodes
        rest = np.take_along_axis(rest, before[:, :, None], 1) - centroids[layer][node]
        codes = np.concatenate([np.take_along_axis(codes, before[:, :, None], 1), node[:, :, None]], 2)
    return numbers_of(codes, nodes)[:, :each]
