"""The graph as arrays: what faiss built, nothing lost and nothing added but links to orphans."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from bench import DataError, Ragged
from bench_index.graph import Graph, from_levels
from bench_index.hnsw import build_hnsw, link_orphans


def made(size=3000, dim=16, seed=0):
    return np.random.default_rng(seed).normal(size=(size, dim)).astype(np.float32)


def test_links_are_those_of_faiss():
    vectors, links = made(), 8
    items = np.arange(3000, dtype=np.int32) + 5
    graph = build_hnsw(vectors, items, links=links, effort=40)
    index = faiss.IndexHNSWFlat(16, links)
    index.hnsw.efConstruction = 40
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    index.add(vectors)
    faiss.omp_set_num_threads(threads)
    table, starts = faiss.vector_to_array(index.hnsw.neighbors), faiss.vector_to_array(index.hnsw.offsets)
    levels = faiss.vector_to_array(index.hnsw.levels) - 1
    assert graph.sizes == [int((levels >= level).sum()) for level in range(levels.max() + 1)]
    orphans = set(np.flatnonzero(np.bincount(table[table >= 0], minlength=3000) == 0))
    for node in (0, 17, 2999):
        old = int(graph.items[node]) - 5
        for level in range(levels[old] + 1):
            first = starts[old] + index.hnsw.cum_nb_neighbors(level)
            expected = table[first : first + index.hnsw.nb_neighbors(level)]
            found = graph.items[graph.layers[level][node]] - 5
            assert set(expected[expected >= 0]) == set(found) - orphans


def test_every_layer_is_a_prefix_and_every_node_is_linked_to():
    graph = build_hnsw(made(), np.arange(3000, dtype=np.int32), links=4)
    assert sorted(graph.items) == list(range(3000))
    assert graph.sizes == sorted(graph.sizes, reverse=True)
    for layer in graph.layers:
        assert layer.values.max(initial=-1) < len(layer)
    assert (np.bincount(graph.layers[0].values, minlength=3000) > 0).all()


def test_the_same_vectors_give_the_same_graph():
    one, other = (build_hnsw(made(1000), np.arange(1000, dtype=np.int32)) for _ in range(2))
    np.testing.assert_array_equal(one.items, other.items)
    for left, right in zip(one.layers, other.layers, strict=True):
        np.testing.assert_array_equal(left.values, right.values)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_tiny_catalogs(size):
    graph = build_hnsw(made(size), np.arange(size, dtype=np.int32))
    assert len(graph) == size and len(graph.layers) >= 1


def test_nodes_are_renamed_by_level_by_hand():
    layers = [Ragged.from_rows([[1], [0, 2], [1]]), Ragged.from_rows([[], [2], [1]])]
    graph = from_levels(np.array([0, 1, 1]), np.array([10, 11, 12], np.int32), layers)
    assert graph.items.tolist() == [11, 12, 10]
    assert [row.tolist() for row in graph.layers[0]] == [[2, 1], [0], [0]]
    assert [row.tolist() for row in graph.layers[1]] == [[1], [0]]


def test_an_orphan_is_linked_from_its_neighbour_by_hand():
    assert [row.tolist() for row in link_orphans(Ragged.from_rows([[1], [0], [1]]))] == [[1], [0, 2], [1]]


def test_a_saved_graph_is_the_same_and_a_damaged_one_is_refused(tmp_path: Path):
    graph = build_hnsw(made(500), np.arange(500, dtype=np.int32))
    graph.save(tmp_path)
    again = Graph.load(tmp_path)
    np.testing.assert_array_equal(again.items, graph.items)
    assert again.sizes == graph.sizes
    np.testing.assert_array_equal(again.layers[0].values, graph.layers[0].values)
    (tmp_path / "layer0.links.npy").write_bytes(b"")
    with pytest.raises(DataError, match=r"layer0\.links"):
        Graph.load(tmp_path)
    graph.save(tmp_path)
    np.save(tmp_path / "items.npy", graph.items[:-1])
    with pytest.raises(DataError, match="fit together"):
        Graph.load(tmp_path)
