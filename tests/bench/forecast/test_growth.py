"""From pilots to the whole, on curves whose end is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.forecast.growth import growing, mostly_fixed


@pytest.mark.parametrize(
    ("curve", "expected"),
    [
        (lambda n: 40 * n, 40),  # in proportion
        (lambda n: 3 + 40 * n, 43),  # a fixed part
        (lambda n: 100 * n**1.7, 100),  # a power
        (lambda n: 5.0, 5),  # whatever the size
    ],
)
def test_seconds_of_a_known_curve(curve, expected):
    sizes = [0.05, 0.1, 0.2]
    found = growing(sizes, [curve(size) for size in sizes])
    assert found.value == pytest.approx(expected)
    assert found.low < expected < found.high


def test_growth_is_believed_up_to_the_square():
    assert growing([0.1, 0.2], [1.0, 16.0]).value == pytest.approx(16 * 25)


def test_a_later_pilot_that_took_less_is_the_one_that_counts():
    assert growing([0.1, 0.2], [9.0, 4.0]).value == 4.0  # the first compiled


def test_a_single_pilot_is_taken_as_proportional():
    found = growing([0.1], [2.0])
    assert (found.value, found.low) == (20.0, 2.0) and found.high > 60


def test_memory_is_a_fixed_part_and_a_proportional_one():
    found = mostly_fixed([0.1, 0.2], [250.0, 300.0])
    assert found.value == pytest.approx(700)
    assert found.low >= 300
    assert mostly_fixed([0.1], [250.0]).low == 250


@given(st.lists(st.floats(0, 1e4), min_size=2, max_size=4))
def test_a_range_always_holds_its_value_and_no_less_than_nothing(seconds):
    sizes = [0.05 * 2**at for at in range(len(seconds))]
    for found in (growing(sizes, seconds), mostly_fixed(sizes, seconds)):
        assert 0 <= found.low <= found.value <= found.high
