"""Novelty and popularity of answers."""

from __future__ import annotations

import numpy as np
import pytest

from bench import Ragged
from bench.metrics.novelty import novelty, popularity_percentile

NAN = np.nan


def test_novelty_is_the_share_of_answers_outside_of_the_history() -> None:
    ids = np.array([[1, 2, 3, 4], [5, 6, -1, -1], [-1, -1, -1, -1], [0, 1, 2, 3]], np.int32)
    history = Ragged.from_rows([[2, 2, 4, 9], [6], [1], []])  # an item met twice is one item
    values = novelty(ids, history, (4, 1, 2))
    np.testing.assert_allclose(values["novelty@1"], [1, 1, NAN, 1])
    np.testing.assert_allclose(values["novelty@2"], [1 / 2, 1 / 2, NAN, 1])
    np.testing.assert_allclose(values["novelty@4"], [1 / 2, 1 / 2, NAN, 1])


def test_popularity_percentile_averages_over_answers_given() -> None:
    popularity = np.array([10, 5, 1, 0])
    ids = np.array([[0, 3], [1, -1], [-1, -1]], np.int32)
    values = popularity_percentile(ids, popularity, (1, 2))
    np.testing.assert_allclose(values["popularity_percentile@1"], [3.5 / 4, 2.5 / 4, NAN])
    np.testing.assert_allclose(values["popularity_percentile@2"], [1 / 2, 2.5 / 4, NAN])


def test_no_requests() -> None:
    assert novelty(np.zeros((0, 3), np.int32), Ragged.empty(0), (3,))["novelty@3"].shape == (0,)
    assert popularity_percentile(np.zeros((0, 3), np.int32), np.ones(2, np.int64), (3,)).keys() == {
        "popularity_percentile@3"
    }


def test_an_answer_outside_of_the_catalog_is_refused() -> None:
    with pytest.raises(ValueError, match="catalog of 2 items"):
        popularity_percentile(np.array([[2]], np.int32), np.ones(2, np.int64), (1,))
