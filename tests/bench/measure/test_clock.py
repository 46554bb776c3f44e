import threading
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
    times = clock.times
    assert times["compiled_seconds"] > 0.005
    assert sum(times.values()) == pytest.approx(10 + wall, abs=0.01)
    assert times["seconds"] == clock.seconds >= 10.04
    with Clock() as again:
        assert doubled(4) == 8
    assert again.times["compiled_seconds"] == 0


def test_work_beside_compiling_is_not_taken_for_compiling():
    @numba.njit(nogil=True)
    def busy(rounds):
        total = 0.0
        for _ in range(rounds):
            total = total * 0.5 + 1.0
        return total

    busy(1)
    begun = time.process_time()
    busy(20_000_000)
    alone = time.process_time() - begun
    rounds = round(20_000_000 * 0.5 / alone)  # half a second
    other = threading.Thread(target=busy, args=(rounds,))
    with Clock() as clock:
        other.start()
        while other.is_alive():  # compile anew for as long as the other works

            @numba.njit
            def added(value, other=0.5):
                return value + other

            added(1.0)
    assert clock.seconds >= 0.25


def test_a_clock_that_runs_can_be_read():
    with Clock() as clock:
        first = clock.seconds
        time.sleep(0.01)
        assert clock.seconds >= first + 0.009
    ended = clock.seconds
    time.sleep(0.01)
    assert clock.seconds == ended
