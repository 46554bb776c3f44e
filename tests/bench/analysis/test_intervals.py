"""Bootstrap intervals: worked values, undefined requests, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from bench.analysis.intervals import (
    Kind,
    acceleration,
    bootstrap_ratios,
    mean_intervals,
    poisson_weights,
    ratio_intervals,
)


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


@pytest.mark.parametrize("kind", ["percentile", "bca"])
def test_95_percent_intervals_hold_the_truth_about_95_times_in_100(kind: Kind) -> None:
    # 8 resamplings of 500 sets of requests each, with a skewed share as recall is; each column is a set of its own.
    rng = np.random.default_rng(400)
    held = []
    for seed in range(8):
        values = rng.beta(0.5, 1.5, (400, 500)) * (rng.random((400, 500)) < 0.8)
        intervals = ratio_intervals(values, np.ones_like(values), seed, kind=kind)
        held += [interval["low"] <= 0.25 * 0.8 <= interval["high"] for interval in intervals]
    assert 0.93 <= np.mean(held) <= 0.97


def test_correcting_for_skewness_holds_the_truth_where_few_requests_hit() -> None:
    # 4,000 sets of 76 requests with 5% hits: plain percentiles lie too low.
    hits = np.random.default_rng(0).random((76, 4000)) < 0.05
    share = {}
    for kind in ("percentile", "bca"):
        found = ratio_intervals(hits, np.ones_like(hits), 0, kind=kind)
        share[kind] = np.mean([interval["low"] <= 0.05 <= interval["high"] for interval in found])
    assert share["percentile"] < 0.92
    assert 0.93 <= share["bca"] <= 0.97


def test_corrected_ends_are_those_of_scipy() -> None:
    values = np.random.default_rng(3).exponential(size=60)
    theirs = bootstrap((values,), np.mean, n_resamples=9999, method="BCa", rng=np.random.default_rng(0))
    (ours,) = ratio_intervals(values[:, None], np.ones((60, 1)), 0, 20_000)
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours["low"] == pytest.approx(theirs.confidence_interval.low, abs=0.04 * width)
    assert ours["high"] == pytest.approx(theirs.confidence_interval.high, abs=0.04 * width)
    mean = values.mean()
    without = np.array([np.delete(values, at).mean() for at in range(60)])
    apart = without.mean() - without
    by_hand = (apart**3).sum() / (6 * (apart**2).sum() ** 1.5)
    assert acceleration(values[:, None], np.ones((60, 1)), np.array([mean]))[0] == pytest.approx(by_hand)


def test_requests_of_a_user_are_drawn_together() -> None:
    # 60 users with 1 to 20 requests each: 1,000 sets; taken one by one the requests would seem to say more.
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(60), rng.integers(1, 21, 60))
    values = rng.normal(size=(60, 1000))[users] + 0.3 * rng.normal(size=(len(users), 1000))
    values = values[order := rng.permutation(len(users))]
    ones = np.ones_like(values)
    together, alone = (
        np.mean([one["low"] <= 0 <= one["high"] for one in ratio_intervals(values, ones, 0, users=who)])
        for who in (users[order], None)
    )
    assert 0.90 <= together <= 0.97
    assert alone < 0.7
