"""Graphs built from near neighbours: the neighbours, the occlusion rule, reachability, and equality across threads."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from bench import DataError, Ragged
from bench_index.hnsw import build_hnsw
from bench_index.knn import nearest, neighbours, refine
from bench_index.layered import build_knn, build_layered
from bench_index.locality import cuts, drawn_levels, locality_order
from bench_index.medoids import build_medoids
from bench_index.prune import both_ways, connected, occluded, with_links


def made(size=4000, dim=12, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(40, dim))
    return (centres[rng.integers(40, size=size)] + 0.4 * rng.normal(size=(size, dim))).astype(np.float32)


def distances(one, other):
    return ((one[:, None].astype(np.float64) - other) ** 2).sum(2)


def reachable_count(layer, entries):
    matrix = csr_array((np.ones(len(layer.values)), layer.values, layer.offsets), (len(layer), len(layer)))
    reached = np.arange(len(layer)) < entries
    while (more := reached | (matrix.T @ reached > 0)).sum() > reached.sum():
        reached = more
    return reached.sum()


def rows_of(layer):
    return [sorted(row.tolist()) for row in layer]


def test_a_locality_order_is_a_permutation_whose_cells_are_tight():
    vectors = made()
    order = locality_order(vectors)
    assert sorted(order) == list(range(4000))
    spread = sum(
        ((vectors[order[lo:hi]] - vectors[order[lo:hi]].mean(0)) ** 2).sum()
        for lo, hi in zip(cuts(4000, 6)[:-1], cuts(4000, 6)[1:], strict=True)
    )
    assert spread < 0.5 * ((vectors - vectors.mean(0)) ** 2).sum()


def test_each_run_of_nodes_sends_one_to_the_next_layer():
    levels = drawn_levels(1000, 8, seed=0)
    assert [int((levels >= level).sum()) for level in range(4)] == [1000, 125, 16, 2]
    assert ((levels >= 1).reshape(-1, 8).sum(1) == 1).all()
    assert (drawn_levels(1000, 8, seed=1) != levels).any()
    np.testing.assert_array_equal(drawn_levels(1000, 8, seed=0), levels)


def test_neighbours_are_those_of_brute_force():
    vectors = made(2600)
    near, away = neighbours(vectors, 10, threads=2)
    every = distances(vectors, vectors)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(away, np.sort(every, 1)[:, :10], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(every, near, 1), away, rtol=1e-3, atol=1e-4)
    assert (near != np.arange(2600)[:, None]).all()


def test_nearest_are_those_of_brute_force():
    vectors, queries = made(1500), made(70, seed=5)
    near, away = nearest(queries, vectors, 7, threads=2)
    every = distances(queries, vectors)
    np.testing.assert_allclose(away, np.sort(every, 1)[:, :7], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(every, near, 1), away, rtol=1e-3, atol=1e-4)


def test_refinement_keeps_the_nearest_of_neighbours_and_their_neighbours():
    vectors = made(8000)
    vectors = vectors[locality_order(vectors)]
    near, away = neighbours(vectors, 16, probes=2)
    closer = away.copy()
    better = refine(vectors, near, closer, width=8)
    every = distances(vectors[:200], vectors)
    assert (better != near).any()
    for node in range(200):
        candidates = np.union1d(near[node], near[near[node, :8], :8])
        expected = np.sort(every[node, candidates[candidates != node]])[:16]
        np.testing.assert_allclose(closer[node], expected, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(every[node, better[node]], expected, rtol=1e-3, atol=1e-4)


def test_fewer_nodes_than_neighbours_are_padded():
    near, away = neighbours(made(3), 5)
    assert (near[:, 2:] == -1).all() and np.isinf(away[:, 2:]).all()
    assert sorted(near[0, :2]) == [1, 2]


def test_the_occlusion_rule_by_hand():
    line = np.array([[0.0], [1.0], [2.0], [-1.5], [-4.0]], np.float32)
    candidates = Ragged.from_rows([[4, 2, 1, 3, 1, 0], [], [0, 1], [], [0, 3]])
    # From 0: 1 is nearest; 3 lies the other way; 2 is nearer to 1, 4 nearer to 3.
    assert [row.tolist() for row in occluded(line, candidates, 4)] == [[1, 3], [], [1], [], [3]]
    assert occluded(line, candidates, 1)[0].tolist() == [1]
    assert occluded(line, candidates, 4, least=3)[0].tolist() == [1, 3, 2]
    # From 0 to 4 it is 4, from 3 to 4 it is 2.5: twice that no longer passes over 4, nor over 2.
    assert occluded(line, candidates, 4, alpha=2.0)[0].tolist() == [1, 3, 2, 4]


def test_links_both_ways_by_hand():
    assert rows_of(both_ways(Ragged.from_rows([[1, 2], [0], []]))) == [[1, 1, 2], [0, 0], [0]]


def test_added_links_come_last_by_hand():
    layer = with_links(Ragged.from_rows([[2], [0, 2], []]), np.array([2, 0, 2]), np.array([1, 1, 0]))
    assert [row.tolist() for row in layer] == [[2, 1], [0, 2], [1, 0]]


def test_nodes_out_of_reach_are_linked_from_their_neighbour_or_the_nearest_entry_by_hand():
    vectors = np.array([[0.0], [10.0], [11.0], [12.0], [1.0]], np.float32)
    layer = connected(Ragged.from_rows([[], [2], [3], [], [0]]), vectors, 2)
    assert [row.tolist() for row in layer] == [[4], [2], [3], [], [0]]
    layer = connected(Ragged.from_rows([[], [], [3], [2], []]), vectors, 2)
    assert [row.tolist() for row in layer] == [[4], [2, 3], [3], [2], []]


@pytest.mark.parametrize("build", [build_layered, build_knn])
def test_every_node_is_reachable_and_threads_change_nothing(build):
    vectors, items = made(5000), np.arange(5000, dtype=np.int32)[::-1] + 3
    vectors[:300] = vectors[0]  # items with the same vector
    one, other = (build(vectors, items, links=8, seed=1, threads=threads) for threads in (1, 3))
    assert sorted(one.items) == sorted(items)
    assert one.sizes == [5000, 625, 79, 10, 2]
    for layer, entries in zip(one.layers, [*one.sizes[1:], 1], strict=True):
        assert layer.values.max(initial=-1) < len(layer)
        assert reachable_count(layer, entries) == len(layer)
    np.testing.assert_array_equal(one.items, other.items)
    for left, right in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(left.values, right.values)
        np.testing.assert_array_equal(left.offsets, right.offsets)


def test_links_of_the_exact_graph_are_the_nearest():
    vectors = made(1000)
    graph = build_knn(vectors, np.arange(1000, dtype=np.int32), links=4)
    every = distances(vectors[graph.items], vectors[graph.items])
    np.fill_diagonal(every, np.inf)
    for node in range(1000):
        assert set(np.argsort(every[node])[:8]) <= set(graph.layers[0][node])
    assert build_knn(vectors, np.arange(1000, dtype=np.int32), links=4, effort=3).layers[0].lengths.min() == 3


@pytest.mark.parametrize("build", [build_layered, build_knn, build_medoids, build_hnsw])
def test_vectors_that_are_not_finite_are_refused(build):
    vectors = made(300)
    vectors[7, 3] = np.nan
    with pytest.raises(DataError, match="row 7"):
        build(vectors, np.arange(300, dtype=np.int32), links=8)


@pytest.mark.parametrize("build", [build_layered, build_knn])
@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_tiny_catalogs(build, size):
    graph = build(made(size), np.arange(size, dtype=np.int32))
    assert len(graph) == size and len(graph.layers) >= 1
    assert reachable_count(graph.layers[0], 1) == size
