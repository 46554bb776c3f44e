"""The audit's counts and the statistics, worked by hand on small logs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.audit import audit, audit_task
from bench.data.ragged import Ragged
from bench.data.stats import gini, head_share, stats
from bench.data.tables import Interactions


def log(pairs: list[tuple[int, int]], times: list[int] | None = None) -> Interactions:
    users, items = np.array(pairs, np.int32).reshape(-1, 2).T
    stamps = None if times is None else np.array(times, np.int64)
    return Interactions(users, items, Ragged.from_keys(users, items, int(users.max(initial=-1)) + 1), stamps)


def test_a_data_set_is_counted(shop: Any) -> None:
    rows = [("1", "a", 5, 10), ("1", "b", 5, 10), ("1", "a", 4, 12), ("2", "c", 5, 3), ("1", "d", 5, 1)]
    (shop.folder / "items.csv").write_text("i,colour\na,red\nb,\nz,blue\n")
    items = '[items]\nfile = "items.csv"\nid = "i"\n[items.features]\ncolour = "categorical"\n'
    data = shop.simple(shop.csv(rows), items)
    found = audit(data)
    assert found["repeated_interactions"] == 1
    assert found["tied_share"] == pytest.approx(1 / 3)
    assert found["unsorted_rows"] == 1
    assert (found["first_time"], found["last_time"], found["rows_before_1980"]) == (1, 12, 5)
    assert found["users_with_one_interaction"] == 1
    assert found["items_with_one_interaction"] == 3
    assert found["items_without_interaction"] == 1
    assert found["items_not_described"] == 2
    assert found["missing"] == {"item colour": pytest.approx(3 / 5)}
    json.dumps(found)
    told = stats(data)
    assert (told["users"], told["items"], told["items_with_interactions"], told["interactions"]) == (2, 5, 4, 5)
    assert told["density"] == 0.5
    assert told["history_length"]["mean"] == 2.5
    assert told["item_features"]["colour"]["most_common"] == {"blue": 1, "red": 1}
    json.dumps(told)


def test_a_split_is_counted() -> None:
    training = log([(0, 0), (0, 1), (1, 1), (1, 1)], [5, 20, 7, 7])
    history, targets = Ragged.from_rows([[0, 3], []]), Ragged.from_rows([[3, 2, 2], [1]])
    seen = np.array([True, True, False, False])
    found = audit_task(training, history, targets, np.array([10, 30]), seen, np.array([True, False]))
    assert found == {
        "targets": 4,
        "repeated_targets": 1,
        "targets_in_history": 1,
        "targets_without_training": 3,
        "items_only_in_test": 2,
        "users_only_in_test": 1,
        "requests_without_history": 1,
        "training_after_request": 1,
        "requests_before_last_training": 1,
        "repeated_training_interactions": 1,
        "training_tied_share": 0.5,
    }


def test_without_time_nothing_is_claimed_about_it() -> None:
    found = audit_task(
        log([(0, 0)]), Ragged.empty(1), Ragged.from_rows([[0]]), None, np.array([True]), np.ones(1, bool)
    )
    assert found["training_after_request"] is found["requests_before_last_training"] is None
    assert found["training_tied_share"] is None


def test_an_empty_training_part_is_counted_too() -> None:
    nothing, none = Ragged.empty(0), np.zeros(0, np.bool_)
    found = audit_task(log([], []), nothing, nothing, np.zeros(0, np.int64), np.zeros(3, np.bool_), none)
    assert found["targets"] == found["repeated_training_interactions"] == 0


def test_gini_and_head_share_of_known_counts() -> None:
    assert gini(np.array([3, 3, 3])) == pytest.approx(0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(0.75)
    assert gini(np.zeros(4, np.int64)) == 0
    assert head_share(np.array([1, 1, 1, 7]), 0.25) == pytest.approx(0.7)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=50).filter(any))
def test_gini_is_half_the_mean_difference_over_the_mean(counts: list[int]) -> None:
    values = np.array(counts)
    pairwise = np.abs(values[:, None] - values[None]).mean() / 2 / values.mean()
    assert gini(values) == pytest.approx(pairwise)
