"""The graph as arrays: what faiss and hnswlib built, nothing lost and nothing added but links to unreachable nodes."""

from pathlib import Path

import faiss
import hnswlib
import numpy as np
import pytest
from scipy.sparse import csr_array

from bench import DataError, Ragged
from bench_index.graph import Graph, from_levels
from bench_index.hnsw import build_hnsw


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
    for node in (0, 17, 2999):
        old = int(graph.items[node]) - 5
        for level in range(levels[old] + 1):
            first = starts[old] + index.hnsw.cum_nb_neighbors(level)
            expected = table[first : first + index.hnsw.nb_neighbors(level)]
            found = graph.items[graph.layers[level][node]] - 5
            found = list(found[: (expected >= 0).sum()])  # links added for reachability come last
            assert sorted(found) == sorted(expected[expected >= 0])


def test_links_are_those_by_which_hnswlib_walks():
    vectors, links = made(800), 6
    graph = build_hnsw(vectors, np.arange(800, dtype=np.int32), links=links, library="hnswlib", seed=3)
    index = hnswlib.Index("l2", 16)
    index.init_index(800, M=links, ef_construction=40, random_seed=3)
    index.add_items(vectors, num_threads=1)
    assert graph.sizes[1:] == [
        int((index.__getstate__()[0]["element_levels"] >= level).sum()) for level in range(1, len(graph.sizes))
    ]
    assert len(graph.sizes) == index.__getstate__()[0]["max_level"] + 1
    assert graph.layers[0].lengths.max() <= 2 * links + 1 and graph.layers[0].lengths.min() >= 1
    around, _ = index.knn_query(vectors[graph.items], 2 * links)  # a link mostly leads to one of the nearest
    near = [np.isin(graph.items[row], best).mean() for row, best in zip(graph.layers[0], around, strict=True)]
    assert np.mean(near) > 0.5


@pytest.mark.parametrize("library", ["faiss", "hnswlib"])
def test_every_layer_is_a_prefix_and_every_node_is_reachable(library):
    graph = build_hnsw(made(), np.arange(3000, dtype=np.int32), links=4, library=library)
    assert sorted(graph.items) == list(range(3000))
    assert graph.sizes == sorted(graph.sizes, reverse=True)
    for layer, entries in zip(graph.layers, [*graph.sizes[1:], 1], strict=True):
        assert layer.values.max(initial=-1) < len(layer)
        matrix = csr_array((np.ones(len(layer.values)), layer.values, layer.offsets), (len(layer), len(layer)))
        reached = np.arange(len(layer)) < entries
        while (more := reached | (matrix.T @ reached > 0)).sum() > reached.sum():
            reached = more
        assert reached.all()


@pytest.mark.parametrize("library", ["faiss", "hnswlib"])
def test_the_same_vectors_give_the_same_graph(library):
    one, other = (
        build_hnsw(made(1000), np.arange(1000, dtype=np.int32), library=library, threads=threads) for threads in (1, 2)
    )
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


def test_nodes_of_one_level_are_sorted_by_locality_by_hand():
    layers = [Ragged.from_rows([[1], [2], [0]]), Ragged.from_rows([[], [], []])]
    graph = from_levels(np.array([0, 1, 0]), np.array([10, 11, 12], np.int32), layers, near=np.array([9, 8, 1]))
    assert graph.items.tolist() == [11, 12, 10]
    assert [row.tolist() for row in graph.layers[0]] == [[1], [2], [0]]


def test_items_that_left_are_nodes_without_an_item_by_hand():
    graph = Graph(np.array([7, 3, 5], np.int32), (Ragged.from_rows([[1], [2], [0]]),))
    left = graph.without(np.array([5, 7, 99]))
    assert (left.items < 0).tolist() == [True, False, True]
    assert left.ids.tolist() == graph.items.tolist() == graph.ids.tolist()
    assert graph.items.tolist() == [7, 3, 5]


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
