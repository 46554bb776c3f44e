"""Bootstrap intervals: worked values, undefined requests, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.intervals import bootstrap_ratios, mean_intervals, poisson_weights, ratio_intervals


def test_the_value_is_the_mean_over_requests_that_have_one() -> None:
    intervals = mean_intervals({"a": np.array([1.0, np.nan, 2.0, 6.0]), "b": np.full(4, np.nan)}, seed=0)
    assert intervals.keys() == {"a"}
    assert intervals["a"]["value"] == 3
    assert 1 <= intervals["a"]["low"] < 3 < intervals["a"]["high"] <= 6


def test_equal_values_have_no_spread() -> None:
    assert mean_intervals({"a": np.full(9, 0.25)}, seed=0)["a"] == {"value": 0.25, "low": 0.25, "high": 0.25}


def test_rounding_does_not_push_the_value_out() -> None:
    for value in (1 / 3, 0.1, 1e-7):
        interval = mean_intervals({"a": np.full(3001, value, np.float32)}, seed=0)["a"]
        assert interval["low"] <= interval["value"] <= interval["high"]
        assert interval["high"] - interval["low"] < 1e-5 * value


def test_one_request_and_none() -> None:
    assert mean_intervals({"a": np.array([0.5])}, seed=0)["a"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert mean_intervals({"a": np.zeros(0)}, seed=0) == {}
    assert mean_intervals({}, seed=0) == {}


def test_a_group_that_few_resamples_hold_still_has_an_interval() -> None:
    values = np.full(500, np.nan)
    values[[3, 70]] = [0.0, 1.0]
    interval = mean_intervals({"a": values}, seed=0)["a"]
    assert interval == {"value": 0.5, "low": 0.0, "high": 1.0}


def test_weights_are_poisson_and_do_not_depend_on_the_columns() -> None:
    blocks = list(poisson_weights(5000, 100, seed=0))
    weights = np.concatenate([block for _, block in blocks], axis=1)
    assert weights.shape == (100, 5000)
    assert [rows.start for rows, _ in blocks] == [0, 2048, 4096]
    assert weights.mean() == pytest.approx(1, abs=0.005)
    assert weights.var() == pytest.approx(1, abs=0.01)
    values = np.random.default_rng(1).random((5000, 2))
    both = bootstrap_ratios(values, np.ones_like(values), seed=0, resamples=100)
    alone = bootstrap_ratios(values[:, 1:], np.ones((5000, 1)), seed=0, resamples=100)
    np.testing.assert_allclose(both[:, 1:], alone, rtol=1e-6)
    np.testing.assert_allclose(both, weights @ values / weights.sum(1, keepdims=True), rtol=1e-5)


def test_the_spread_is_that_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 1))
    resampled = bootstrap_ratios(values, np.ones_like(values), seed=1, resamples=2000)
    assert resampled.std() == pytest.approx(values.std() / np.sqrt(2000), rel=0.08)


def test_a_ratio_of_sums_is_not_the_mean_of_ratios() -> None:
    (interval,) = ratio_intervals(np.array([[1.0], [0.0]]), np.array([[2.0], [8.0]]), seed=0)
    assert interval["value"] == pytest.approx(0.1)


@pytest.mark.parametrize("requests", [100, 400])
def test_95_percent_intervals_hold_the_truth_about_95_times_in_100(requests: int) -> None:
    # 4 resamplings of 500 sets of requests each, with a skewed share as recall is; each column is a set of its own.
    rng = np.random.default_rng(requests)
    held = []
    for seed in range(4):
        values = rng.beta(0.5, 1.5, (requests, 500)) * (rng.random((requests, 500)) < 0.8)
        intervals = ratio_intervals(values, np.ones_like(values), seed)
        held += [interval["low"] <= 0.25 * 0.8 <= interval["high"] for interval in intervals]
    assert 0.93 <= np.mean(held) <= 0.97
