"""Orders of the items from left to right, of which `Tree.of_order` makes a tree: random, by category, by clusters.

Each cuts where the tree does: a node of level l has what lies between two of `bench_index.locality.cuts(N, l)`. That
holds for trees of two branches and of four, eight ...; one of another number cuts the same order elsewhere.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

from bench import Catalog, Categorical, MultiCategorical, ParameterError
from bench_index.knn import neighbours
from bench_index.locality import cuts, locality_order
from bench_index.parallel import in_parts

SPECTRAL_ITEMS = 20_000  # for more, the neighbours alone would take minutes
LINKS = 16  # neighbours of an item in the graph of a large cell
NEAR = 7  # the neighbour whose distance is an item's scale
DENSE = 256  # items of a cell whose graph is a full matrix
AT_ONCE = 1 << 21  # entries of such matrices that are made at once
LEAST = 1e-4  # lighter links are none
TELEPORT = 0.1  # of the mean degree, spread over all pairs of a cell


def random_order(items: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """The items int32 [N] shuffled."""
    return rng.permutation(items)


def category_order(
    catalog: Catalog, items: NDArray[np.int32], rng: np.random.Generator, feature: str = ""
) -> NDArray[np.int32]:
    """The items int32 [N] by category, shuffled within each: the first tree of Learning Tree-based Deep Model for
    Recommender Systems (TDM, KDD 2018, section 3.4).

    feature: the categorical feature of the catalog to take, "" for the first. An item of several categories stands with
    the first of them (in the paper: with a random one), one of none with the last. Categories stand in the order of
    their codes (in the paper: in a random one). Without a categorical feature the order is random.
    Raises ParameterError where the catalog has no categorical feature of that name.
    """
    codes = {name: _codes(one) for name, one in catalog.features.items() if _is_categorical(one)}
    if feature and feature not in codes:
        raise ParameterError(f"the catalog has no categorical feature {feature!r}; it has {', '.join(codes) or 'none'}")
    order = random_order(items, rng)
    if not codes:
        return order
    of_items = codes[feature or next(iter(codes))][order]
    return order[np.argsort(np.where(of_items < 0, np.iinfo(np.int32).max, of_items), kind="stable")]


def _is_categorical(feature: object) -> bool:
    return isinstance(feature, Categorical | MultiCategorical)


def _codes(feature: object) -> NDArray[np.int32]:
    """The first category int32 [size] of each item, -1 for none."""
    if isinstance(feature, Categorical):
        return np.asarray(feature.codes)
    assert isinstance(feature, MultiCategorical)
    first = np.full(len(feature), -1, np.int32)
    some = feature.codes.lengths > 0
    first[some] = feature.codes.values[feature.codes.offsets[:-1][some]]
    return first


def cluster_order(vectors: NDArray[np.float32], *, seed: int = 0, threads: int = 1) -> NDArray[np.int64]:
    """The numbers int64 [N] of vectors float32 [N, D] by recursive balanced 2-means, down to single items: the learnt
    tree of TDM (KDD 2018, section 3.3).

    Departure: the paper moves items of the larger cluster to the other once 2-means is done; here further turns make
    the halves themselves the clusters, which minimises the variance within halves of equal size. Four starts, the
    first without the seed; cells of more than 4,096 items are cut by a sample of that many.
    Raises DataError where a vector is not finite.
    """
    vectors = np.ascontiguousarray(vectors, np.float32)
    return locality_order(vectors, threads, leaf=1, sample=4096, turns=4, even_turns=16, starts=4, seed=seed)


def spectral_order(vectors: NDArray[np.float32], *, seed: int = 0, threads: int = 1) -> NDArray[np.int64]:
    """The numbers int64 [N] of vectors float32 [N, D] by recursive spectral halving, for at most 20,000 items.

    Each cell is cut at the median of its `fiedler_vector`, of a graph whose links weigh exp(-d^2 / (s_i s_j)), d being
    the distance and s_i that to the seventh neighbour (Self-Tuning Spectral Clustering, NeurIPS 2004): of all pairs in
    a cell of at most 256 items, of each item with its 16 nearest in the cell in a larger one. Where that graph has
    several components (a far group of items is one) they stay whole, in the order of their mean place in
    `cluster_order`, but for the one in which the middle lies: it is cut by its own vector. The seed is that of
    `cluster_order`.
    Raises ParameterError for more items and DataError where a vector is not finite.
    """
    size = len(vectors)
    if size > SPECTRAL_ITEMS:
        raise ParameterError(
            f"spectral halving is for at most {SPECTRAL_ITEMS:,} items and there are {size:,}: take 2-means, "
            "which cluster_order builds"
        )
    vectors = np.ascontiguousarray(vectors, np.float32)
    order = cluster_order(vectors, seed=seed, threads=threads)
    depth = 0
    while size >> depth > 1:
        bounds = cuts(size, depth)
        most = int(np.diff(bounds).max())

        def large(lo: int, hi: int, bounds: NDArray[np.int64] = bounds) -> None:
            cell = order[bounds[lo] : bounds[hi]]
            cell[:] = cell[_halves(vectors[cell])]

        def small(lo: int, hi: int, bounds: NDArray[np.int64] = bounds) -> None:
            sizes = np.diff(bounds[lo : hi + 1])
            for one in np.unique(sizes):  # two at most: the floor and the ceiling
                at = bounds[lo:hi][sizes == one][:, None] + np.arange(one)  # (cells, items of each)
                rows = order[at]
                order[at] = np.take_along_axis(rows, _small_halves(vectors[rows]), 1)

        if most > DENSE:
            in_parts(1 << depth, 1, threads, large)
        else:
            in_parts(1 << depth, max(1, AT_ONCE // most**2), threads, small)
        depth += 1
    return order


def fiedler_vector(graph: csr_array) -> NDArray[np.float64]:
    """The vector [n] that halves a graph of non-negative symmetric weights [n, n] with few and light links cut.

    The second eigenvector of the random walk, D^-1 W, that is of the normalised Laplacian (Shi and Malik, Normalized
    Cuts and Image Segmentation, 2000), once a tenth of the mean degree is spread over all pairs, without which the
    vector would point to a few outlying nodes (Zhang and Rohe, Understanding Regularized Spectral Clustering via Graph
    Conductance, NeurIPS 2018). The later half of the nodes, as they stand, has the larger values. Where the iteration
    does not end, in a graph of many equal parts, that order stands as it is.
    """
    size = graph.shape[0]
    if size <= DENSE:
        return np.asarray(_dense_fiedler(graph.toarray()[None], np.ones((1, size), bool))[0])
    degrees = np.asarray(graph.sum(1)).ravel()
    extra = max(TELEPORT * float(degrees.mean()), 1e-12)
    root = np.sqrt(degrees + extra)
    trivial, start = root / np.linalg.norm(root), _as_they_stand(size)

    def walk(values: NDArray[np.float64]) -> NDArray[np.float64]:
        inner = values.ravel() / root
        moved = (graph @ inner + extra * inner.mean()) / root
        return np.asarray(moved - 2 * trivial * (trivial @ values.ravel()))  # the trivial one is no longer the largest

    try:
        operator = LinearOperator((size, size), matvec=walk, dtype=np.float64)
        first = start - trivial * (trivial @ start)
        _, vectors = eigsh(operator, k=1, which="LA", v0=first, tol=1e-3, maxiter=300)
    except ArpackNoConvergence:
        return start
    found = vectors[:, 0] / root
    return np.asarray(found if found @ start >= 0 else -found)


def _as_they_stand(size: int) -> NDArray[np.float64]:
    return np.where(np.arange(size) < size // 2, -1.0, 1.0)


def _halves(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """The order [n] of the vectors of a large cell in which its halves lie on two sides of the cut."""
    size = len(vectors)
    ids, away = neighbours(vectors - vectors.mean(0), LINKS)
    scales = np.sqrt(away[:, NEAR - 1]).astype(np.float64)
    rows, columns = np.repeat(np.arange(size), LINKS), ids.ravel()
    weights = np.exp(-away.ravel() / np.maximum(scales[rows] * scales[columns], 1e-30))
    some = weights > LEAST
    graph = csr_array((weights[some], (rows[some], columns[some])), shape=(size, size))
    graph = csr_array(graph.maximum(graph.T))
    ranks = _ranks(graph)
    whole = ranks == np.sort(ranks)[size // 2]  # the component in which the middle lies
    values = np.zeros(size)
    values[whole] = fiedler_vector(csr_array(graph[whole][:, whole]))
    return np.lexsort((values, ranks))


def _small_halves(vectors: NDArray[np.float32]) -> NDArray[np.int64]:
    """`_halves` [cells, n] of many small cells of vectors [cells, n, D] at once."""
    cells, size, _ = vectors.shape
    weights = _affinities(vectors)
    cell, row, column = np.nonzero(weights)
    links = np.ones(len(cell), np.int8), (cell * size + row, cell * size + column)
    ranks = _ranks(csr_array(links, shape=(cells * size, cells * size))).reshape(cells, size)
    whole = ranks == np.sort(ranks, axis=1)[:, size // 2, None]
    return np.lexsort((_dense_fiedler(weights, whole), ranks), axis=1)


def _ranks(graph: csr_array) -> NDArray[np.int64]:
    """The component [n] of each node, numbered in the order of their mean places."""
    _, parts = connected_components(graph, directed=False)
    places = np.bincount(parts, np.arange(len(parts))) / np.bincount(parts)
    return np.asarray(np.argsort(np.argsort(places, kind="stable"), kind="stable")[parts])


def _affinities(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """The weights [cells, n, n] of all pairs of vectors [cells, n, D] of the same cell."""
    centred = vectors - vectors.mean(1, keepdims=True, dtype=np.float64)
    products = centred @ centred.transpose(0, 2, 1)
    norms = np.einsum("cii->ci", products)
    away = np.maximum(norms[:, :, None] + norms[:, None] - 2 * products, 0)
    at = min(NEAR, away.shape[1] - 1)
    scales = np.sqrt(np.partition(away, at, axis=2)[:, :, at])
    weights = np.exp(-away / np.maximum(scales[:, :, None] * scales[:, None], 1e-30))
    np.einsum("cii->ci", weights)[:] = 0
    return np.asarray(np.where(weights > LEAST, weights, 0))


def _dense_fiedler(weights: NDArray[np.float64], whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """`fiedler_vector` [cells, n], by full decomposition, of the nodes `whole` [cells, n] of each of the graphs
    [cells, n, n], and 0 elsewhere."""
    size = weights.shape[1]
    if size < 2:
        return np.zeros(whole.shape)
    both = whole[:, :, None] & whole[:, None]
    inside = np.where(both, weights, 0)
    degrees, count = inside.sum(2), whole.sum(1)[:, None]
    extra = np.maximum(TELEPORT * degrees.sum(1, keepdims=True) / count, 1e-12)
    root = np.sqrt(degrees + extra)
    walk = np.where(both, inside + (extra / count)[:, :, None], 0) / (root[:, :, None] * root[:, None])
    np.einsum("cii->ci", walk)[whole] += 1  # so that the zeros of the nodes elsewhere come last
    found = np.where(whole, np.linalg.eigh(walk)[1][:, :, -2] / root, 0)
    return np.asarray(np.where((found @ _as_they_stand(size))[:, None] >= 0, found, -found))
