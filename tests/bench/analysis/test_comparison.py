"""Paired comparison of two runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.analysis.comparison import compare, compare_metric, match_requests, sign_flip_test


def test_requests_are_matched_by_key() -> None:
    baseline, contender = match_requests(np.array([30, 10, 20]), np.array([20, 40, 30]))
    np.testing.assert_array_equal(np.array([30, 10, 20])[baseline], np.array([20, 40, 30])[contender])
    assert len(baseline) == 2


def test_a_clear_gain_is_better_and_its_reverse_worse() -> None:
    rng = np.random.default_rng(0)
    low = rng.random(200) * 0.5
    high = low + 0.1 + 0.05 * rng.random(200)
    order = rng.permutation(200)
    keys = (np.arange(200), order)
    runs = ({"recall@50": low, "mine": low, "gone": low}, {"recall@50": high[order], "mine": high[order], "new": low})
    recall, mine = compare(*runs, keys, seed=0)
    assert (recall.metric, recall.verdict, recall.requests, recall.changed) == ("recall@50", "better", 200, 200)
    assert recall.low < recall.difference < recall.high
    assert recall.difference == pytest.approx(recall.contender - recall.baseline)
    assert recall.p_value < 0.001
    assert mine.verdict == "more"  # which way is better for a plugin's metric, nobody said
    reverse = compare_metric("recall@50", high, low, 0, "more")
    assert reverse is not None and reverse.verdict == "worse"
    latency = compare_metric("latency_ms", high, low, 0, "less")
    assert latency is not None and latency.verdict == "better"


def test_equal_runs_are_not_distinguishable() -> None:
    values = np.random.default_rng(0).random(50)
    result = compare_metric("recall@50", values, values, 0, "more")
    assert result is not None
    assert (result.difference, result.p_value, result.verdict, result.changed) == (0, 1, "not distinguishable", 0)


def test_only_requests_with_both_values_count() -> None:
    result = compare_metric("a", np.array([0.0, np.nan, 1.0]), np.array([1.0, 1.0, np.nan]), 0, "more")
    assert result is not None and result.requests == 1
    assert compare_metric("a", np.array([np.nan]), np.array([1.0]), 0, "more") is None
    assert compare({"a": np.ones(2)}, {"a": np.ones(2)}, (np.array([1, 2]), np.array([3, 4])), seed=0) == []


def test_the_p_value_is_that_of_all_sign_flips() -> None:
    differences = np.array([0.3, -0.1, 0.2, 0.2, 0.0, 0.4, 0.1, -0.2, 0.3, 0.1, 0.2])
    flips = np.array(list(itertools.product((-1, 1), repeat=len(differences))))
    exact = np.mean(np.abs(flips @ differences) >= abs(differences.sum()) - 1e-12)
    assert sign_flip_test(differences, seed=0) == pytest.approx(exact, abs=0.01)


def test_the_p_value_is_never_0() -> None:
    assert sign_flip_test(np.ones(1000), seed=0, permutations=99) == pytest.approx(1 / 100)


def test_a_difference_of_nothing_is_called_one_time_in_twenty() -> None:
    rng = np.random.default_rng(5)
    runs = 1000
    called = [
        sign_flip_test(rng.exponential(size=60) - rng.exponential(size=60), seed, 199) <= 0.05 for seed in range(runs)
    ]
    assert 0.035 <= np.mean(called) <= 0.065
