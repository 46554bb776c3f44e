"""Open-loop load: stalls are seen, queues are bounded, the highest rate is found."""

import time

import numpy as np

from bench import Ragged, Requests
from bench.measure import latency, load

REQUESTS = Requests(keys=np.arange(3), users=np.full(3, -1, np.int32), history=Ragged.empty(3), exclude=Ragged.empty(3))
SINGLES = latency.single_requests(REQUESTS, 3)


def nothing(**_):
    """An empty hook."""


class Stalling:
    """A server that answers in half a millisecond, and stands still for 200 ms once a second."""

    def __init__(self):
        self.next = time.perf_counter() + 0.5

    def __call__(self, **_):
        if time.perf_counter() > self.next:
            self.next += 1.0
            time.sleep(0.2)
        time.sleep(0.0005)


def test_a_stall_shows_in_the_open_loop_and_not_in_a_closed_one():
    closed = latency.closed_loop(Stalling(), nothing, REQUESTS, 1, None, least=2500, seconds=20)
    assert latency.summary(closed.nanoseconds)["p99"] < 20
    arrivals = np.cumsum(np.random.default_rng(0).exponential(1 / 300, 900))
    spent = load.open_loop(Stalling(), SINGLES, 1, None, arrivals)
    assert np.percentile(spent, 99) > 0.1


def test_latency_counts_from_the_arrival_and_the_queue_is_bounded():
    # Ten at once to a server of 5 ms with room for four: the first is taken, four wait, the others are refused.
    asked = []

    def slow(requests, **_):
        asked.append(int(requests.keys[0]))
        time.sleep(0.005)

    spent = load.open_loop(slow, SINGLES, 1, None, np.full(10, 0.001), queue=4)
    known = spent[~np.isnan(spent)]
    assert len(known) == 4 and np.isnan(spent[4:]).all()
    assert (known >= 0.005 * np.arange(1, 5)).all()
    assert asked == [0, 1, 2, 0]


def test_a_single_server_is_as_slow_as_its_queue():
    service = []

    def answer(**_):
        begin = time.perf_counter()
        time.sleep(0.002)
        service.append(time.perf_counter() - begin)

    arrivals = np.cumsum(np.random.default_rng(1).exponential(0.004, 400))
    spent = load.open_loop(answer, SINGLES, 1, None, arrivals)
    moment, on_paper = 0.0, []
    for arrival, took in zip(arrivals, service, strict=True):  # Lindley's recursion
        moment = max(arrival, moment) + took
        on_paper.append(moment - arrival)
    assert (spent >= np.array(on_paper) - 1e-3).all()
    assert np.median(spent - on_paper) < 0.002


def test_the_highest_rate_holds_and_a_higher_one_does_not():
    found = load.highest_rate(
        lambda **_: time.sleep(0.002),
        REQUESTS,
        1,
        None,
        20.0,
        np.random.default_rng(0),
        least=100,
        seconds=0.2,
        most=2,
    )
    assert found.rate < 800  # a request takes 2 ms at least, and a short trial ends before its queue is long
    held = [trial.rate for trial in found.trials if trial.holds]
    assert found.rate == max(held, default=0.0)
    assert all(trial.p99 <= 20 and trial.refused == 0 for trial in found.trials if trial.holds)
    assert any(not trial.holds for trial in found.trials)
    assert found.as_dict()["trials"][0]["requests"] >= 100


def test_a_bound_that_no_rate_meets_is_said():
    found = load.highest_rate(
        lambda **_: time.sleep(0.001),
        REQUESTS,
        1,
        None,
        0.5,
        np.random.default_rng(0),
        least=20,
        seconds=0.05,
        most=0.2,
    )
    assert found.rate == 0 and not any(trial.holds for trial in found.trials)
    assert load.highest_rate(nothing, REQUESTS[0:0], 1, None, 1.0, np.random.default_rng(0)).trials == ()
