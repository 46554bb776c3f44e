import time

import numba
import pytest

from bench.measure.clock import Clock


def test_the_seconds_of_a_phase_are_without_those_of_compiling():
    @numba.njit
    def doubled(value):
        return 2 * value

    begun = time.perf_counter()
    with Clock(before=10.0) as clock:
        time.sleep(0.05)
        assert doubled(3) == 6
    wall = time.perf_counter() - begun
    assert clock.compiled > 0.005
    assert clock.seconds + clock.compiled == pytest.approx(10 + wall, abs=0.01)
    assert clock.seconds >= 10.04
    with Clock() as again:
        assert doubled(4) == 8
    assert again.compiled == 0


def test_a_clock_that_runs_can_be_read():
    with Clock() as clock:
        first = clock.seconds
        time.sleep(0.01)
        assert clock.seconds >= first + 0.009
    ended = clock.seconds
    time.sleep(0.01)
    assert clock.seconds == ended
