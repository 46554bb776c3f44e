"""The tree as arrays: numbered level by level, balanced, refused where it does not fit."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import DataError
from bench_tree.tree import Tree, height_of


def test_five_items_by_hand():
    tree = Tree.of_codes([10, 11, 12, 13, 14], [0, 1, 3, 4, 5])
    #              0
    #        1           2
    #     3     4     5            (the node of the codes 6 and 7 does not exist)
    #    6 7    8    9 10
    assert tree.height == 3
    assert tree.begins.tolist() == [0, 1, 3, 6, 11]
    assert tree.parents.tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5]
    assert tree.first.tolist() == [1, 3, 5, 6, 8, 9, 11]
    assert tree.ancestors(np.array([8, 10])).tolist() == [[0, 1, 4, 8], [0, 2, 5, 10]]
    assert tree.leaves(16).tolist() == [-1] * 10 + [6, 7, 8, 9, 10, -1]
    assert tree.counts.tolist() == [5, 3, 2, 2, 1, 2, 1, 1, 1, 1, 1]
    assert tree.sums(np.array([1, 2, 4, 8, 16], np.float32))[:3].tolist() == [31, 7, 24]


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 300), branching=st.integers(2, 5), seed=st.integers(0, 100))
def test_any_order_gives_a_complete_tree_whose_siblings_are_as_equal_as_can_be(size, branching, seed):
    order = np.random.default_rng(seed).permutation(size)
    tree = Tree.of_order(order, branching)
    assert tree.items.tolist() == order.tolist()
    assert branching ** (tree.height - 1) < max(size, 2) <= max(branching**tree.height, 2)
    for level, begin in enumerate(tree.begins[:-1]):
        counts = tree.counts[begin : tree.begins[level + 1]]
        assert counts.sum() == size
        assert counts.min() >= max(1, size // branching**level)
        assert counts.max() <= -(-size // branching**level)
    assert (tree.parents[tree.first[:-1]] == np.arange(len(tree.first) - 1)).all()
    assert (np.diff(tree.first) <= branching).all()
    assert (np.diff(tree.first) >= 1).all()


@settings(max_examples=60, deadline=None)
@given(size=st.integers(1, 200), branching=st.integers(2, 4), seed=st.integers(0, 100))
def test_any_leaves_of_the_full_tree_do(size, branching, seed):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(branching ** height_of(size, branching))[:size]
    tree = Tree.of_codes(np.arange(size), codes, branching)
    path = tree.ancestors(tree.leaves(size))
    for level in range(tree.height + 1):
        expected = codes // branching ** (tree.height - level)
        assert (tree._levels[level][path[:, level] - tree.begins[level]] == expected).all()
    below = [np.unique(codes // branching**up, return_counts=True)[1] for up in range(tree.height, 0, -1)]
    np.testing.assert_allclose(tree.below, np.transpose([(one.mean(), one.std()) for one in below]))
    assert tree.sizes.tolist() == [len(np.unique(codes // branching**up)) for up in range(tree.height, -1, -1)]


@pytest.mark.parametrize(
    ("items", "codes", "said"),
    [
        ([0, 1, 1], [0, 1, 2], "item 1 is on two leaves, 1 and 2"),
        ([0, 1, 2], [0, 3, 3], "items 1 and 2 are both on leaf 3"),
        ([0, 1, 2], [0, 1, 4], "item 2 is on leaf 4: a balanced 2-ary tree of 3 items has 2 levels"),
        ([0, 7, 2], [0, -1, 3], "item 7 is on leaf -1"),
        ([], [], "0 items"),
        ([0, 1], [0], "2 items, 1 leaves"),
    ],
)
def test_leaves_that_do_not_fit_are_refused_with_the_item_named(items, codes, said):
    with pytest.raises(DataError, match=said):
        Tree.of_codes(items, codes)


@pytest.mark.parametrize(("items", "codes"), [([0.2, 1.9], [0, 1]), ([0, 1], [0.0, 1.0]), ([[0], [1]], [0, 1])])
def test_a_tree_of_other_numbers_is_refused(items, codes):
    with pytest.raises(DataError, match="are a row of whole numbers, not"):
        Tree.of_codes(np.array(items), np.array(codes))


def test_a_tree_of_another_catalog_is_refused_with_the_item_named():
    tree = Tree.of_order(np.arange(5))
    tree.fits(np.arange(5))
    with pytest.raises(DataError, match="1 items of the catalog are on no leaf of the tree, the first is 5"):
        tree.fits(np.arange(6))
    with pytest.raises(DataError, match="1 items of the tree are not in the catalog, the first is 4"):
        tree.fits(np.arange(4))


def test_what_is_saved_is_loaded_and_damage_is_named(tmp_path):
    tree = Tree.of_codes(np.array([3, 1, 2, 0, 9]), np.array([7, 0, 2, 5, 6]))
    tree.save(tmp_path)
    found = Tree.load(tmp_path)
    assert found.branching == 2
    np.testing.assert_array_equal(found.items, tree.items)
    np.testing.assert_array_equal(found.codes, tree.codes)
    np.save(tmp_path / "tree.items.npy", np.array([1, 2, 3, 3, 9], np.int32))
    with pytest.raises(DataError, match="item 3 is on two leaves"):
        Tree.load(tmp_path)
    (tmp_path / "tree.json").write_text(json.dumps({}))
    with pytest.raises(DataError, match="holds no tree"):
        Tree.load(tmp_path)
