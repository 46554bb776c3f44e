"""Times of methods in turn: a worked example, and how often equal methods are called different."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from bench.analysis.turns import in_turn, time_ratio

STARTS, ROUNDS, SUITES = 6, 2, 200


def noisy(rng, methods, starts=STARTS, rounds=ROUNDS, spikes=0.02):
    """Seconds float [methods, starts, rounds] of equal methods on a machine that is not quiet.

    Of every turn: its process's own offset of 2%, a drift over the whole, the slow noise of a machine at other work
    (autoregressive in time, .8 from turn to turn), noise of its own, and spikes, of a fifth, in a share of the turns.
    """
    order = np.stack([rng.permutation(methods) for _ in range(starts)])  # (S, M)
    length = starts * rounds * methods
    slow = np.zeros(length)
    for at in range(1, length):
        slow[at] = 0.8 * slow[at - 1] + rng.normal(0, 0.01)
    slow += np.linspace(0, rng.normal(0, 0.1), length)
    of_process = rng.normal(0, 0.02, (methods, starts))
    logs, at = np.zeros((methods, starts, rounds)), 0
    for start in range(starts):
        for turn in range(rounds):
            for method in order[start][:: 1 if turn % 2 == 0 else -1]:
                own = rng.normal(0, 0.01) + (rng.exponential(0.2) if rng.random() < spikes else 0.0)
                logs[method, start, turn] = of_process[method, start] + slow[at] + own
                at += 1
    return 1e-3 * np.exp(logs)


def test_a_ratio_is_that_of_students_test_over_starts():
    baseline = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 4.0]])
    contender = baseline * np.array([[2.0], [2.2], [1.9]])
    found = time_ratio(contender, baseline)
    logs = np.log([2.0, 2.2, 1.9])
    assert found.ratio == pytest.approx(np.exp(logs.mean()))
    assert found.p_value == pytest.approx(ttest_1samp(logs, 0).pvalue)
    interval = ttest_1samp(logs, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((np.exp(interval.low), np.exp(interval.high)))


def test_the_turned_ratio_is_the_inverse_and_as_far_from_one():
    rng = np.random.default_rng(0)
    first, second = noisy(rng, 2)
    there, back = time_ratio(first, second), time_ratio(second, first)
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert (there.size, there.p_value) == pytest.approx((back.size, back.p_value))


def test_a_steady_drift_cancels_between_mirrored_rounds():
    moments = np.array([[0, 3], [4, 7]]), np.array([[1, 2], [5, 6]])  # A B B A A B B A
    first, second = (1e-3 * np.exp(0.1 * one) for one in moments)
    assert time_ratio(second, first).ratio == pytest.approx(1)


@pytest.mark.parametrize("spikes", [0.0, 0.02, 0.05])
def test_equal_methods_are_called_different_in_five_of_a_hundred_suites(spikes):
    rng = np.random.default_rng(0)
    pairs = suites = 0
    for _ in range(SUITES):
        first, again, other = noisy(rng, 3, spikes=spikes)
        found, floor = in_turn({"a": first, "b": other}, "a", again)
        pairs += floor.p_value <= 0.05
        suites += any(one.verdict in ("faster", "slower") for one in found)
    assert 3 <= pairs <= 18
    assert 3 <= suites <= 18


def test_holm_holds_for_several_equal_methods():
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(SUITES):
        first, again, *others = noisy(rng, 7)
        found, _ = in_turn({"a": first} | {str(at): one for at, one in enumerate(others)}, "a", again)
        wrong += any(one.verdict in ("faster", "slower") for one in found)
    assert wrong <= 18


def test_rounds_of_the_same_two_processes_would_call_a_difference_far_too_often():
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(SUITES):
        first, again = noisy(rng, 2, starts=1, rounds=2 * STARTS)
        wrong += time_ratio(*(one.reshape(STARTS, ROUNDS) for one in (again, first))).p_value <= 0.05
    assert wrong > 60


def test_a_true_difference_is_found_in_its_direction():
    rng = np.random.default_rng(3)
    right = 0
    for _ in range(50):
        first, again, other = noisy(rng, 3)
        found, _ = in_turn({"a": first, "b": other * 0.85}, "a", again)
        assert [one.label for one in found] == ["b", "a"]
        right += found[0].verdict == "faster"
    assert right >= 40


def test_a_difference_below_the_noise_floor_is_not_called_however_sure_it_is():
    base = np.full((6, 2), 1e-3)
    jitter = 1 + 1e-4 * np.arange(6)[:, None]
    found, floor = in_turn({"a": base, "b": base * 1.01 * jitter}, "a", base * 1.02 * jitter)
    other = next(one for one in found if one.label == "b")
    assert other.p_value < 1e-6 and floor.size > other.ratio.size
    assert other.verdict == "not distinguishable"


def test_one_start_says_nothing():
    with pytest.raises(ValueError, match="two are the least"):
        time_ratio(np.ones((1, 4)), np.ones((1, 4)))
