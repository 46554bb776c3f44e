"""Links from use and items that come later: co-visits counted by hand, insertion against building anew."""

import numpy as np
import pytest

from bench import Ragged
from bench_index.covisits import covisits, with_covisits
from bench_index.graph import Graph
from bench_index.insertion import insert
from bench_index.layered import build_layered


def made(size=4000, dim=12, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(40, dim))
    return (centres[rng.integers(40, size=size)] + 0.4 * rng.normal(size=(size, dim))).astype(np.float32)


def counted(sequences, size, window, most):
    """The definition, pair by pair."""
    met, occurs = np.zeros((size, size)), np.zeros(size)
    for row in sequences:
        for at, item in enumerate(row):
            occurs[item] += 1
            for other in row[max(0, at - window) : at + window + 1]:
                met[item, other] += other != item
    scores = met / np.sqrt(occurs + 10.0)
    return [sorted(scores[item][scores[item] > 0])[::-1][:most] for item in range(size)], scores


def test_covisits_by_hand():
    sequences = Ragged.from_rows([[0, 1, 2], [0, 1], [3], []])
    assert [row.tolist() for row in covisits(sequences, 5, 1, 4)] == [[1], [0, 2], [1], [], []]
    assert [row.tolist() for row in covisits(sequences, 5, 2, 1)] == [[1], [0], [0], [], []]


def test_covisits_are_those_of_counting_pairs():
    rng = np.random.default_rng(0)
    rows = [np.minimum(rng.geometric(0.05, size=rng.integers(0, 30)), 60) for _ in range(200)]
    one, other = (covisits(Ragged.from_rows(rows), 61, 3, 5, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.values, other.values)
    expected, scores = counted(rows, 61, 3, 5)
    for item, row in enumerate(one):
        assert len(set(row)) == len(row)
        np.testing.assert_allclose(scores[item, row], expected[item], rtol=1e-5)


def test_a_popular_item_does_not_take_all_places():
    rows = [[0, 1, 2]] * 6 + [[0, item] for item in range(3, 53)]
    assert covisits(Ragged.from_rows(rows), 53, 2, 1)[1].tolist() == [2]


def test_met_items_become_links_by_hand():
    graph = Graph(np.array([4, 2, -1, 0], np.int32), (Ragged.from_rows([[1], [0, 2], [3], [2]]), Ragged.empty(1)))
    met = Ragged.from_rows([[4, 3, 2], [0], [4, 0], [0], [2, 0]])  # item 3 is no node, item 1 neither
    linked = with_covisits(graph, met, 1)
    assert [row.tolist() for row in linked.layers[0]] == [[1, 3], [0, 2, 3], [3], [2, 0]]
    assert [row.tolist() for row in with_covisits(graph, met, 2).layers[0]][3] == [2, 0, 1]
    assert len(linked.layers) == 2


@pytest.mark.parametrize("count", [1, 40, 1500])
def test_inserted_items_are_linked_like_built_ones(count):
    vectors, items = made(), np.arange(4000, dtype=np.int32)
    new = np.random.default_rng(0).permutation(4000)[:count]
    old = np.setdiff1d(items, new)
    graph = build_layered(vectors[old], old.astype(np.int32), links=8, effort=32)
    more, again = (
        insert(graph, vectors[graph.items], vectors[new], items[new], links=8, effort=32, threads=threads)
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(more.layers[0].values, again.layers[0].values)
    np.testing.assert_array_equal(more.items[: len(old)], graph.items)
    assert sorted(more.items[len(old) :]) == sorted(new)
    assert more.sizes == [4000, *graph.sizes[1:]]
    assert reached(more.layers[0], more.sizes[1]).all()
    added = more.layers[0].lengths - np.append(graph.layers[0].lengths, np.zeros(count))
    assert more.layers[0].lengths.max() <= 16 + 4 and added[len(old) :].min() >= 1
    assert nearest_linked(more, vectors)[len(old) :].mean() > 0.95


def nearest_linked(graph, vectors):
    """For each node, whether its nearest neighbour links to it or is linked from it."""
    rows, layer = vectors[graph.items], graph.layers[0]
    every = (rows**2).sum(1) - 2 * rows @ rows.T
    np.fill_diagonal(every, np.inf)
    best = every.argmin(1)
    return np.array([best[node] in layer[node] or node in layer[best[node]] for node in range(len(rows))])


def reached(layer, entries):
    done = np.arange(len(layer)) < entries
    while True:
        more = done.copy()
        more[layer.values[done[layer.rows()]]] = True
        if (more == done).all():
            return done
        done = more


def test_items_can_be_inserted_into_an_empty_graph_and_none_into_any():
    empty = build_layered(made(0), np.zeros(0, np.int32))
    graph = insert(empty, made(0), made(30), np.arange(30, dtype=np.int32), links=4)
    assert sorted(graph.items) == list(range(30)) and reached(graph.layers[0], 1).all()
    assert insert(graph, made(30), made(0), np.zeros(0, np.int32)) is graph


def test_links_are_kept_where_there_is_place():
    vectors, items = made(), np.arange(4000, dtype=np.int32)
    graph = build_layered(vectors[:3990], items[:3990], links=32, effort=32)
    more = insert(graph, vectors[graph.items], vectors[3990:], items[3990:], links=32)
    for before, after in zip(graph.layers[0], more.layers[0], strict=False):
        assert set(before) <= set(after)
