"""Costs at equal quality: examples worked by hand, and the intervals' coverage by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from bench.analysis.readoff import Curve, curve, log_cost_at, read_off, rising


def constant(quality, requests=40):
    """Requests that all have the mean."""
    return np.tile(np.asarray(quality, float), (requests, 1))


def test_a_worked_example():
    """A: .2 at 1, .4 at 4. B: .2 at 2, .3 at 8. At .3 A is half-way in log cost: 2, B at 8: A is 4 times as fast."""
    curves = {
        "B": Curve(np.array([2.0, 8.0]), constant([0.2, 0.3])),
        "A": Curve(np.array([1.0, 4.0]), constant([0.2, 0.4])),
    }
    (found,) = read_off(curves, [0.3], seed=0)
    assert found["A"].cost == pytest.approx(2.0)
    assert found["B"].cost == pytest.approx(8.0)
    assert found["A"].saving == pytest.approx((4.0, 4.0, 4.0), rel=1e-4)  # resamples are sums in float32
    assert found["B"].saving is None
    assert (found["A"].least, found["A"].most, found["A"].cheapest) == pytest.approx((0.2, 0.4, 1.0))


def test_nothing_is_read_off_beyond_what_was_measured():
    curves = {
        "low": Curve(np.array([1.0, 2.0]), constant([0.1, 0.2])),
        "high": Curve(np.array([3.0]), constant([0.5])),
        "wide": Curve(np.array([1.0, 9.0]), constant([0.1, 0.9])),
    }
    found, exactly = read_off(curves, [0.3, 0.5], seed=0)
    assert (found["low"].cost, found["high"].cost) == (None, None)
    assert (found["low"].saving, found["high"].saving) == (None, None)
    assert exactly["high"].cost == pytest.approx(3.0)
    assert exactly["high"].saving is None  # the first that is there, so the others stand beside it
    assert exactly["wide"].saving[0] == pytest.approx(3.0 / 3.0)


def test_the_ends_of_a_curve_and_steps_between_equal_settings():
    reached, cost = np.array([[0.1, 0.3, 0.3, 0.5]]), np.array([1.0, 2.0, 4.0, 8.0])
    expected = {0.05: -math.inf, 0.1: 0.0, 0.2: math.log(2) / 2, 0.3: math.log(2), 0.4: math.log(4 * math.sqrt(2)),
                0.5: math.log(8), 0.51: math.inf}  # fmt: skip
    for quality, log_cost in expected.items():
        assert log_cost_at(quality, reached, cost)[0] == pytest.approx(log_cost), quality


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_curve_rises_as_isotonic_regression_has_it(quality):
    fitted = rising(np.array([quality]))[0]
    np.testing.assert_allclose(fitted, isotonic_regression(quality).x, atol=1e-9)


def test_settings_are_chosen_by_another_quality_than_the_one_reported():
    """The second setting looks best on the reported requests, but validation does not want it."""
    chosen = curve(np.array([2.0, 1.5, 1.0, 0.0]), constant([0.5, 0.9, 0.3, 1.0]), np.array([0.5, 0.2, 0.3, 1.0]))
    np.testing.assert_array_equal(chosen.cost, [1.0, 2.0])
    np.testing.assert_allclose(chosen.values[0], [0.3, 0.5])
    assert curve(np.array([np.nan]), constant([0.5]), np.array([0.5])) is None


def test_a_method_that_only_some_resamples_reach_has_an_open_interval():
    rng = np.random.default_rng(0)
    asked = rng.random(400)
    curves = {
        "B": Curve(np.array([1.0, 4.0]), np.stack([asked < 0.1, asked < 0.4], axis=1).astype(float)),
        "A": Curve(np.array([1.0, 4.0]), np.stack([asked < 0.2, asked < 0.6], axis=1).astype(float)),
    }
    most = curves["B"].values[:, 1].mean()
    value, low, high = read_off(curves, [most], seed=0)[0]["A"].saving
    assert 1 < low < value < high == math.inf


def test_requests_of_one_user_are_drawn_together():
    """Each user asks four times with the same outcome: the interval is that of the users, twice as wide in logs."""
    rng = np.random.default_rng(3)
    asked = rng.random(300)

    def curves(values):
        return {
            "B": Curve(np.array([2.0, 9.0]), np.stack([values > 0.9, values > 0.4], axis=1).astype(float)),
            "A": Curve(np.array([1.0, 9.0]), np.stack([values < 0.2, values < 0.7], axis=1).astype(float)),
        }

    repeated, users = np.repeat(asked, 4), np.repeat(np.arange(300), 4)
    alone = read_off(curves(asked), [0.4], seed=1)[0]["A"].saving
    together = read_off(curves(repeated), [0.4], seed=1, users=users)[0]["A"].saving
    apart = read_off(curves(repeated), [0.4], seed=1)[0]["A"].saving
    assert together == pytest.approx(alone, rel=1e-4)
    assert math.log(together[2] / together[1]) / math.log(apart[2] / apart[1]) == pytest.approx(2, rel=0.2)


def test_intervals_hold_the_true_ratio_as_often_as_they_say():
    """Truth: A's curve .2, .35, .5 at 1, 2, 4 and B's .15, .3, .45 at 1, 3, 9; at .33 the ratio is known."""
    costs = {"B": np.array([1.0, 3.0, 9.0]), "A": np.array([1.0, 2.0, 4.0])}
    truth = {"A": np.array([[0.2, 0.35, 0.5]]), "B": np.array([[0.15, 0.3, 0.45]])}
    logs = {name: log_cost_at(0.33, truth[name], costs[name])[0] for name in costs}
    ratio = math.exp(logs["B"] - logs["A"])
    held = 0
    for run in range(300):
        rng = np.random.default_rng([7, run])
        ease = rng.random((400, 1))  # what both methods share
        curves = {}
        for name in costs:
            own = np.where(rng.random((400, 1)) < 0.5, ease, rng.random((400, 1)))
            curves[name] = Curve(costs[name], (own < truth[name]).astype(float))
        _, low, high = read_off(curves, [0.33], seed=run, resamples=400)[0]["A"].saving
        held += low <= ratio <= high
    assert 0.92 <= held / 300 <= 0.98
