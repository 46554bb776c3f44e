"""Groups of items and requests."""

from __future__ import annotations

import numpy as np

from bench.metrics.groups import fresh_items, popularity_groups, popularity_percentiles, training_groups


def test_head_torso_and_tail_split_the_interactions_in_thirds() -> None:
    popularity = np.array(
        [1, 6, 2, 2, 4, 3, 0]
    )  # 18 interactions: item 1 holds a third, items 4 and 5 reach two thirds
    np.testing.assert_array_equal(popularity_groups(popularity), [2, 0, 2, 2, 1, 1, 2])


def test_the_head_is_never_empty_where_there_are_interactions() -> None:
    np.testing.assert_array_equal(popularity_groups(np.array([0, 100, 1])), [2, 0, 2])
    np.testing.assert_array_equal(popularity_groups(np.array([5])), [0])


def test_items_without_interactions_are_the_tail() -> None:
    np.testing.assert_array_equal(popularity_groups(np.zeros(3, np.int64)), [2, 2, 2])
    assert len(popularity_groups(np.zeros(0, np.int64))) == 0


def test_large_counts_do_not_overflow() -> None:
    popularity = np.full(4, 2**60, np.int64)
    np.testing.assert_array_equal(popularity_groups(popularity // 4), [0, 0, 1, 2])


def test_percentiles_count_equal_items_half() -> None:
    np.testing.assert_allclose(popularity_percentiles(np.array([5, 1, 1, 9])), [2.5 / 4, 1 / 4, 1 / 4, 3.5 / 4])
    assert np.isclose(popularity_percentiles(np.arange(101)).mean(), 0.5)


def test_fresh_items_are_late_or_unknown_to_training() -> None:
    popularity = np.array([3, 3, 3, 3, 0, 0])
    first_seen = np.array([0, 90, 91, 100, 10, -(2**62)])
    np.testing.assert_array_equal(fresh_items(popularity, first_seen), [False, False, True, True, True, True])
    np.testing.assert_array_equal(fresh_items(popularity, None), [False, False, False, False, True, True])


def test_warm_cold_and_new_items_are_what_training_met_missed_and_did_not_know() -> None:
    found = training_groups(np.array([2, 0, 1, 0]), training_items=3)
    assert {name: items.astype(int).tolist() for name, items in found.items()} == {
        "warm": [1, 0, 1, 0], "cold": [0, 1, 0, 1], "new": [0, 0, 0, 1]
    }  # fmt: skip


def test_a_catalog_that_appears_at_once_has_nothing_late() -> None:
    assert not fresh_items(np.ones(3, np.int64), np.full(3, 7)).any()
    assert fresh_items(np.zeros(2, np.int64), np.zeros(2, np.int64)).all()
