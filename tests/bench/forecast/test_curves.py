"""Growth with the catalog: known laws are found again, what they leave open is said."""

import numpy as np
import pytest

from bench.forecast.curves import LINE, LOGARITHM, POWER, project

SIZES = [10_000, 30_000, 100_000]


@pytest.mark.parametrize(
    ("law", "curve"),
    [
        (lambda n: 300 + 120 * np.log(n), LOGARITHM),
        (lambda n: 5e8 + 640 * n, LINE),
        (lambda n: 0.02 * n**0.7, POWER),
    ],
)
def test_a_law_is_found_and_carried_on(law, curve):
    found = project(1_000_000, SIZES, [law(n) for n in SIZES], [LOGARITHM, LINE, POWER])
    assert found.curve == curve.name
    assert found.value == pytest.approx(law(1_000_000), rel=1e-6)
    assert found.low <= found.value <= found.high
    assert abs(found.miss) < 1e-6


def test_a_line_by_hand():
    found = project(30, [10, 20], [2.0, 3.0], [LINE, POWER])
    assert found.value == pytest.approx(4.0)
    assert found.high == found.value and found.low == pytest.approx(2 * 3 ** np.log2(1.5))
    assert found.miss is None


def test_the_range_widens_with_the_miss_and_the_distance():
    values = [100.0, 180.0, 350.0]
    near, far = (project(size, SIZES, values, [POWER]) for size in (300_000, 10_000_000))
    assert near.miss == far.miss != 0
    assert near.high / near.value < far.high / far.value


def test_with_noise_of_a_tenth_the_range_holds_the_truth_four_times_in_five():
    rng = np.random.default_rng(0)
    sizes = np.repeat(SIZES, 2)
    inside = 0
    for _ in range(300):
        values = (5 + 2 * np.log(sizes)) * np.exp(rng.normal(0, 0.1, len(sizes)))
        found = project(1_000_000, sizes, values, [LOGARITHM, POWER])
        inside += found.low <= 5 + 2 * np.log(1_000_000) <= found.high
    assert inside / 300 > 0.8


def test_what_falls_stays_and_what_cannot_be_carried_on_is_refused():
    assert project(1_000_000, SIZES, [3.0, 2.9, 2.8], [LINE]).value == pytest.approx(2.8)
    with pytest.raises(ValueError, match="two sizes"):
        project(1_000_000, [5, 5], [1.0, 1.0], [LINE])
    with pytest.raises(ValueError, match="above 0"):
        project(1_000_000, SIZES, [1.0, 0.0, 1.0], [LINE])
