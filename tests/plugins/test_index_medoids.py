"""The k-medoids tree: a tree over all items, near clusters, the same with any number of threads."""

import numpy as np
import pytest

from bench_index.medoids import build_medoids, clustered


def made(size=4000, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(40, dim))
    return (centres[rng.integers(40, size=size)] + 0.4 * rng.normal(size=(size, dim))).astype(np.float32)


def test_every_item_is_the_child_of_one_node_of_the_level_above():
    graph = build_medoids(made(), np.arange(4000, dtype=np.int32) + 7, links=8, threads=2)
    assert sorted(graph.items) == list(range(7, 4007))
    assert graph.sizes == [4000, 500, 63, 8]
    assert len(graph.layers[-1].values) == 0
    for level, layer in enumerate(graph.layers[:-1]):
        above = graph.sizes[level + 1]
        assert (layer.lengths[above:] == 0).all()  # a node whose highest level is this one has no children
        assert sorted(layer.values) == list(range(above, len(layer)))  # all others are the children of one node each


def test_children_are_near_their_parents():
    vectors = made()
    graph = build_medoids(vectors, np.arange(4000, dtype=np.int32), links=8)
    layer, rows = graph.layers[0], vectors[graph.items]
    parents, children = layer.rows(), layer.values
    every = ((rows[children][:, None] - rows[: graph.sizes[1]]) ** 2).sum(2)
    assert (every.argmin(1) == parents).mean() > 0.95


def test_two_clusters_have_their_middle_members_as_medoids_by_hand():
    line = np.array([[0.0], [1.0], [2.5], [10.0], [11.0], [15.0]], np.float32)
    medoids, nearest = clustered(line, 3, 4, np.random.default_rng(0))
    assert medoids.tolist() == [1, 4]
    assert nearest.tolist() == [0, 0, 0, 1, 1, 1]


def test_threads_change_nothing_and_the_seed_does():
    items = np.arange(4000, dtype=np.int32)
    one, other = (build_medoids(made(), items, links=8, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.items, other.items)
    for left, right in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(left.offsets, right.offsets)
        np.testing.assert_array_equal(left.values, right.values)
    assert (build_medoids(made(), items, links=8, seed=1).items != one.items).any()


@pytest.mark.parametrize("size", [0, 1, 2, 40])
def test_tiny_catalogs_and_equal_vectors(size):
    items = np.arange(size, dtype=np.int32)
    for vectors in (made(size), np.ones((size, 3), np.float32)):
        graph = build_medoids(vectors, items, links=4)
        assert sorted(graph.items) == list(range(size))
        for level, layer in enumerate(graph.layers[:-1]):
            assert sorted(layer.values) == list(range(graph.sizes[level + 1], len(layer)))
