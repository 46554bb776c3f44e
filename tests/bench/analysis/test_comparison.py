"""Paired comparison of two runs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bench.analysis.comparison import compare, compare_metric, detectable, holm, match_requests, sign_flip_test
from bench.data.tables import KEY_STRIDE


def test_requests_are_matched_by_key() -> None:
    baseline, contender = match_requests(np.array([30, 10, 20]), np.array([20, 40, 30]))
    np.testing.assert_array_equal(np.array([30, 10, 20])[baseline], np.array([20, 40, 30])[contender])
    assert len(baseline) == 2


def test_a_clear_gain_is_better_and_its_reverse_worse() -> None:
    rng = np.random.default_rng(0)
    low = rng.random(200) * 0.5
    high = low + 0.1 + 0.05 * rng.random(200)
    order = rng.permutation(200)
    keys = (np.arange(200) * KEY_STRIDE, order * KEY_STRIDE)
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
    pair = np.stack([differences, np.roll(differences, 3)], axis=1)
    np.testing.assert_allclose(sign_flip_test(pair, seed=0), exact, atol=0.01)


def test_the_p_value_is_never_0() -> None:
    assert sign_flip_test(np.ones((1000, 1)), seed=0, permutations=99) == pytest.approx(1 / 100)


def test_of_differences_of_nothing_one_in_twenty_is_called() -> None:
    # 4,000 pairs of runs of 60 requests that differ by chance alone: 400 with the same requests' signs at a time.
    rng = np.random.default_rng(5)
    found = [
        sign_flip_test(rng.exponential(size=(60, 400)) - rng.exponential(size=(60, 400)), s, 999) for s in range(10)
    ]
    assert 0.04 <= np.mean(np.concatenate(found) <= 0.05) <= 0.06


def test_a_planted_difference_is_found_as_often_as_its_power_says() -> None:
    # Differences that would be found 80 times in 100: 2,000 pairs of runs of 150 requests.
    rng = np.random.default_rng(6)
    spread = rng.beta(0.5, 1.5, (150, 2000)) - rng.beta(0.5, 1.5, (150, 2000))
    least = (1.959964 + 0.841621) * spread.std() / np.sqrt(150)
    assert detectable(spread[:, 0]) == pytest.approx((1.959964 + 0.841621) * spread[:, 0].std(ddof=1) / np.sqrt(150))
    assert 0.77 <= np.mean(sign_flip_test(spread + least, 0, 999) <= 0.05) <= 0.83


def test_the_requests_of_a_user_are_flipped_together() -> None:
    # 40 users with 1 to 20 requests each, whose differences go together: taken one by one they would seem to be more.
    rng = np.random.default_rng(7)
    users = np.repeat(np.arange(40), rng.integers(1, 21, 40))
    called, alone = [], []
    for _ in range(300):
        values = rng.normal(size=40)[users] + 0.3 * rng.normal(size=len(users))
        pair = compare_metric("a", np.zeros(len(users)), values, 0, "more", users)
        assert pair is not None
        called.append(pair.p_value <= 0.05)
        alone.append(sign_flip_test(values[:, None], 0, 199)[0] <= 0.05)
    assert 0.02 <= np.mean(called) <= 0.08
    assert np.mean(alone) > 0.3


def test_holms_correction_is_that_of_a_worked_example() -> None:
    # .01 x 4; .02 x 3; .03 x 2 = .06; .9 x 1
    np.testing.assert_allclose(holm([0.03, 0.01, 0.9, 0.02]), [0.06, 0.04, 0.9, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.6]), [1.0, 1.0])
    assert len(holm([])) == 0


def test_the_effect_is_in_standard_deviations() -> None:
    pair = compare_metric("a", np.zeros(4), np.array([1.0, 2.0, 3.0, 4.0]), 0, "more")
    assert pair is not None
    assert pair.effect == pytest.approx(2.5 / np.std([1, 2, 3, 4], ddof=1))
