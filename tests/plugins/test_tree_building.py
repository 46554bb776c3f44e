"""The builders of trees: every item once, exact halves, clusters and communities kept together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from bench import Catalog, Categorical, DataError, MultiCategorical, Numeric, ParameterError, Ragged
from bench_index.locality import cuts, locality_order
from bench_tree.building import category_order, cluster_order, fiedler_vector, random_order, spectral_order
from bench_tree.tree import Tree


def planted(clusters=16, each=64, dim=16, noise=0.05, seed=0):
    """Vectors [clusters * each, dim] of well separated clusters, shuffled, and the cluster of each."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(clusters), each))
    return (rng.normal(size=(clusters, dim))[labels] + noise * rng.normal(size=(len(labels), dim))).astype(
        np.float32
    ), labels


def blurred(size=4000, dim=8, seed=0):
    """Vectors whose clusters overlap and are of unequal size."""
    rng = np.random.default_rng(seed)
    labels = (40 * rng.random(size) ** 2).astype(int)
    return (rng.normal(size=(40, dim))[labels] + 0.5 * rng.normal(size=(size, dim))).astype(np.float32)


def rings(each=512, seed=0):
    """Two rings around one centre, which no straight cut parts, and the ring of each point."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([0, 1], each))
    angles = rng.random(2 * each) * 2 * np.pi
    points = np.stack([np.cos(angles), np.sin(angles)], 1) * np.where(labels, 3.0, 1.0)[:, None]
    return (points + 0.05 * rng.normal(size=points.shape)).astype(np.float32), labels


def variance_within(vectors, order, depth):
    """The mean squared distance to the mean of the cell, of the cells after `depth` halvings."""
    cells = np.split(vectors[order].astype(np.float64), cuts(len(order), depth)[1:-1])
    return sum(((cell - cell.mean(0)) ** 2).sum() for cell in cells if len(cell)) / len(order)


def of_cells(labels, order, depth):
    """The distinct labels in each cell after `depth` halvings."""
    return [set(labels[cell]) for cell in np.split(order, cuts(len(order), depth)[1:-1])]


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
@settings(max_examples=25, deadline=None)
@given(size=st.integers(0, 70), dim=st.integers(1, 5), seed=st.integers(0, 99), grid=st.booleans())
def test_every_item_is_once_in_an_exactly_balanced_tree(order_of, size, dim, seed, grid):
    vectors = np.random.default_rng(seed).normal(size=(size, dim))
    order = order_of((np.round(vectors) if grid else vectors).astype(np.float32), seed=seed)  # with equal ones, too
    assert sorted(order) == list(range(size))
    if size:
        tree = Tree.of_order(order)
        for level, begin in enumerate(tree.begins[:-1]):
            counts = tree.counts[begin : tree.begins[level + 1]]
            assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
def test_equal_vectors_and_a_few_far_ones_make_a_tree(order_of):
    vectors = np.ones((600, 3), np.float32)
    assert sorted(order_of(vectors)) == list(range(600))
    vectors[:5] = 1000
    assert sorted(order_of(vectors)) == list(range(600))


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
def test_planted_clusters_end_in_separate_subtrees(order_of):
    vectors, labels = planted()
    order = order_of(vectors)
    cells = of_cells(labels, order, 4)
    assert all(len(cell) == 1 for cell in cells)
    tree = Tree.of_order(order)
    at_level = tree.ancestors(tree.leaves(len(vectors)))[:, 4]  # the cells of the order are the nodes of the tree
    assert len({(node, label) for node, label in zip(at_level, labels, strict=True)}) == 16


def test_the_halves_of_six_points_by_hand():
    #     0   1   2       10  11  12: the pairs of the last cut lie beside one another
    line = np.array([[11.0], [1.0], [12.0], [0.0], [10.0], [2.0]], np.float32)
    left, right = np.split(cluster_order(line), 2)
    assert {frozenset(left), frozenset(right)} == {frozenset([1, 3, 5]), frozenset([0, 2, 4])}


def test_two_means_have_less_variance_within_nodes_than_a_rough_order_a_sorted_one_and_chance():
    vectors, items = blurred(), np.arange(4000, dtype=np.int32)
    best = cluster_order(vectors)
    longest = np.argsort(vectors[:, vectors.var(0).argmax()], kind="stable")
    for depth in (1, 2, 4, 6, 8, 10):
        within = variance_within(vectors, best, depth)
        assert within < 0.97 * variance_within(vectors, random_order(items, np.random.default_rng(0)), depth)
        assert within < 0.97 * variance_within(vectors, longest, depth)
        assert within < 1.005 * variance_within(vectors, locality_order(vectors), depth)
    assert variance_within(vectors, best, 8) < 0.95 * variance_within(vectors, locality_order(vectors), 8)


def test_even_halves_are_as_good_as_the_best_of_all_halvings():
    """Ten points have 126 even halvings: the least variance within, found by trying all, is that of the order."""
    from itertools import combinations

    for seed in range(10):
        vectors = np.random.default_rng(seed).normal(size=(10, 2)).astype(np.float32)
        halvings = [[*some, *sorted(set(range(10)) - set(some))] for some in combinations(range(10), 5)]
        least = min(variance_within(vectors, np.array(one), 1) for one in halvings)
        found = variance_within(vectors, cluster_order(vectors), 1)
        assert found <= 1.1 * least


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
def test_threads_change_nothing(order_of):
    vectors = blurred(1500)
    np.testing.assert_array_equal(order_of(vectors, threads=1), order_of(vectors, threads=3))


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
def test_a_seed_gives_the_same_order_and_another_seed_another(order_of):
    vectors = blurred(1500)
    np.testing.assert_array_equal(order_of(vectors, seed=3), order_of(vectors, seed=3))
    assert (order_of(vectors, seed=3) != order_of(vectors, seed=4)).any()


@pytest.mark.parametrize("order_of", [cluster_order, spectral_order])
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_vectors_that_are_not_finite_are_refused(order_of, wrong):
    vectors = blurred(100)
    vectors[7, 2] = wrong
    with pytest.raises(DataError, match="row 7"):
        order_of(vectors)


def test_spectral_halving_refuses_a_large_catalog_and_names_the_mend():
    with pytest.raises(ParameterError, match=r"20,000 items and there are 20,001.*cluster_order"):
        spectral_order(np.zeros((20_001, 2), np.float32))


@pytest.mark.parametrize("each", [100, 512])  # by full matrices and by nearest neighbours
def test_spectral_halving_parts_two_rings_that_two_means_cut_across(each):
    vectors, labels = rings(each)
    assert of_cells(labels, spectral_order(vectors), 1) in ([{0}, {1}], [{1}, {0}])
    assert of_cells(labels, cluster_order(vectors), 1) == [{0, 1}, {0, 1}]


@pytest.mark.parametrize("size", [200, 1000])
def test_the_fiedler_vector_parts_two_planted_communities(size):
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(size) % 2)
    chance = np.where(labels[:, None] == labels, 24 / size, 4 / size)
    links = np.triu(rng.random((size, size)) < chance, 1)
    values = fiedler_vector(csr_array((links | links.T).astype(float)))
    halves = values > np.median(values)
    assert max((halves == labels).mean(), (halves != labels).mean()) > 0.95


def test_the_fiedler_vector_of_a_path_runs_along_it_by_hand():
    path = csr_array(np.diag(np.ones(5), 1) + np.diag(np.ones(5), -1))
    assert (np.diff(fiedler_vector(path)) > 0).all()  # the later nodes have the larger values


def test_parts_of_a_graph_stay_whole_but_for_the_one_in_the_middle():
    vectors, labels = planted(clusters=5, each=120, noise=0.01)
    halves = of_cells(labels, spectral_order(vectors), 1)
    assert len(halves[0] & halves[1]) == 1
    assert halves[0] | halves[1] == set(range(5))


def catalog(**features):
    return Catalog(8, {"price": Numeric(np.zeros(8, np.float32)), **features})


GENRE = Categorical(np.array([2, 0, -1, 1, 0, 2, -1, 0], np.int32), ["a", "b", "c"])
TAGS = MultiCategorical(Ragged.from_rows([[1, 0], [], [0], [1], [0, 1], [0], [1], [1]]), ["x", "y"])


@pytest.mark.parametrize(
    ("feature", "groups"),
    [
        ("", [{1, 4, 7}, {3}, {0, 5}, {2, 6}]),
        ("genre", [{1, 4, 7}, {3}, {0, 5}, {2, 6}]),
        ("tags", [{2, 4, 5}, {0, 3, 6, 7}, {1}]),
    ],
)
def test_items_of_a_category_stand_together_and_those_of_none_last(feature, groups):
    items = np.arange(8, dtype=np.int32)
    order = category_order(catalog(genre=GENRE, tags=TAGS), items, np.random.default_rng(0), feature)
    at = 0
    for group in groups:
        assert set(order[at : at + len(group)]) == group
        at += len(group)


def test_within_a_category_the_order_is_drawn_and_only_the_given_items_are_in_it():
    items = np.array([7, 5, 4, 1], np.int32)
    drawn = {
        tuple(category_order(catalog(genre=GENRE), items, np.random.default_rng(seed)).tolist()) for seed in range(40)
    }
    assert {order[3] for order in drawn} == {5}
    assert len({order[:3] for order in drawn}) == 6


def test_without_a_categorical_feature_the_order_is_random_and_a_wrong_name_is_refused():
    items = np.arange(8, dtype=np.int32)
    found = category_order(catalog(), items, np.random.default_rng(5))
    np.testing.assert_array_equal(found, random_order(items, np.random.default_rng(5)))
    with pytest.raises(ParameterError, match="no categorical feature 'price'; it has genre, tags"):
        category_order(catalog(genre=GENRE, tags=TAGS), items, np.random.default_rng(0), "price")
