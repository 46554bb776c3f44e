"""New items join a learnt tree below nodes that suit them, evenly, and its inner nodes stay."""

import numpy as np
import pytest

from bench import DataError
from bench_tree.growth import Grown, grown
from bench_tree.tree import Tree


def planted():
    """Eight items in two far clusters, and the means of all nodes."""
    vectors = np.concatenate([np.zeros((4, 2)), np.full((4, 2), 10.0)]).astype(np.float32)
    vectors += np.arange(8, dtype=np.float32)[:, None] / 100
    tree = Tree.of_order(np.arange(8))
    return tree, tree.sums(vectors[tree.items]) / tree.counts[:, None].astype(np.float32)


def test_new_items_join_the_leaves_of_the_nearest_node():
    tree, means = planted()
    more = grown(tree, means, np.array([8, 9], np.int32), np.array([[9, 9], [-1, -1]], np.float32))
    assert more.height == tree.height and len(more.items) == 10
    assert (more.parents[: tree.begins[-2]] == tree.parents[: tree.begins[-2]]).all()
    for item, cluster in ((8, {4, 5}), (9, {0, 1})):
        (leaf,) = np.flatnonzero(more.items == item) + more.begins[-2]
        beside = more.items[more.parents[more.begins[-2] :] == more.parents[leaf]]
        assert set(beside.tolist()) == cluster | {item}
    children = np.diff(more.first)
    assert children.max() == 3
    assert (more.parents[more.first[:-1]] == np.arange(len(more.first) - 1)).all()


def test_items_that_look_alike_do_not_all_end_below_one_node():
    tree, means = planted()
    more = grown(tree, means, np.arange(8, 72, dtype=np.int32), np.full((64, 2), 10.0, np.float32))
    assert sorted(more.items.tolist()) == list(range(72))
    assert np.diff(more.first)[tree.begins[-3] :].max() <= 2 + 2 * 64 // 4


def test_without_new_items_it_is_the_tree():
    tree, means = planted()
    more = grown(tree, means, np.zeros(0, np.int32), np.zeros((0, 2), np.float32))
    np.testing.assert_array_equal(more.first, tree.first)


def test_what_is_saved_is_loaded_and_damage_is_named(tmp_path):
    tree, means = planted()
    more = grown(tree, means, np.array([8], np.int32), np.ones((1, 2), np.float32))
    more.save(tmp_path)
    found = Grown.load(tmp_path)
    np.testing.assert_array_equal(found.items, more.items)
    np.testing.assert_array_equal(found.first, more.first)
    twice = more.items.copy()
    twice[3] = twice[0]
    np.save(tmp_path / "levels.items.npy", twice)
    with pytest.raises(DataError, match=f"item {twice[0]} is on 2 leaves"):
        Grown.load(tmp_path)
    np.save(tmp_path / "levels.items.npy", more.items[:-1])
    with pytest.raises(DataError, match="do not fit together"):
        Grown.load(tmp_path)
    (tmp_path / "levels.begins.npy").unlink()
    with pytest.raises(DataError, match="build the index again"):
        Grown.load(tmp_path)
