"""Open-loop load: requests arrive when they like, whether or not the last was answered.

A closed loop asks the next request when the last is answered, so that a server which stalls is asked less: of its
stalls one call each is seen. Here a request's latency counts from the moment at which it arrived, and all that arrive
during a stall wait (coordinated omission; Schroeder, Wierman and Harchol-Balter, Open Versus Closed: A Cautionary Tale,
NSDI 2006).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Context
from bench.data.tables import Requests
from bench.measure.latency import no_collection, single_requests, warm_up

QUEUE = 1000  # requests that may wait; who comes then is refused
NEAR = 1.05  # the highest rate that holds is known to this factor
MOST_TRIALS = 16
FEWEST = 20.0  # requests of a trial, however long it takes
IDLE = 50  # below this part of what a closed loop answers no rate is tried
SPIN = 0.0005  # seconds before an arrival that are waited without sleep

Query = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """One rate, held for `seconds`: requests that arrived, those refused because the queue was full, and the latency in
    milliseconds of the others from their arrival; holds: p99 is within the bound and nobody was refused."""

    rate: float
    seconds: float
    requests: int
    refused: int
    p50: float
    p95: float
    p99: float
    holds: bool


@dataclass(frozen=True, slots=True)
class Load:
    """What a server carries: the highest rate, requests a second, that holds (0 where none does), and every trial."""

    rate: float
    slo_ms: float
    trials: tuple[Trial, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def open_loop(
    query: Query,
    singles: Sequence[Requests],
    k: int,
    context: Context,
    arrivals: NDArray[np.float64],
    queue: int = QUEUE,
) -> NDArray[np.float64]:
    """Seconds float64 [n] from each arrival (seconds from the start, ascending, [n]) to its answer, NaN where refused.

    One server, first come first served, one request a call. Who arrives while `queue` others wait is refused.
    `singles`: requests of one row each, asked in turn.
    """
    spent = np.full(len(arrivals), np.nan)
    moments = arrivals.tolist()
    waiting: deque[int] = deque()
    coming = 0
    with no_collection():
        begin = time.perf_counter()
        while coming < len(moments) or waiting:
            now = time.perf_counter() - begin
            while coming < len(moments) and moments[coming] <= now:
                if len(waiting) < queue:
                    waiting.append(coming)
                coming += 1
            if not waiting:
                _wait(begin + moments[coming])
                continue
            at = waiting.popleft()
            query(requests=singles[at % len(singles)], k=k, context=context)
            spent[at] = time.perf_counter() - begin - moments[at]
    return spent


def highest_rate(
    query: Query,
    requests: Requests,
    k: int,
    context: Context,
    slo_ms: float,
    rng: np.random.Generator,
    *,
    least: int = 1000,
    seconds: float = 2.0,
    most: float = 20.0,
) -> Load:
    """Poisson arrivals at one rate after another, until the highest that holds is known to 5%.

    Each trial lasts `seconds` and `least` requests at least, but about `most` seconds at most. It begins at half of
    what a closed loop answers in a second; trials that fail are kept too.
    """
    singles = single_requests(requests, least)
    trials: list[Trial] = []
    if not singles:
        return Load(0.0, slo_ms, ())
    warm_up(query, singles, k, context)
    begun = time.perf_counter()
    asked = 0
    while asked < 50 or (asked < 1000 and time.perf_counter() - begun < 1):
        query(requests=singles[asked % len(singles)], k=k, context=context)
        asked += 1
    answered = asked / (time.perf_counter() - begun)  # a second, in a closed loop

    def holds(rate: float) -> bool:
        count = max(1, int(min(max(least, rate * seconds), max(FEWEST, rate * most))))
        arrivals = np.cumsum(rng.exponential(1 / rate, count))
        trials.append(_trial(rate, float(arrivals[-1]), open_loop(query, singles, k, context, arrivals), slo_ms))
        return trials[-1].holds

    rate, low, high = answered / 2, 0.0, np.inf
    while len(trials) < MOST_TRIALS and high > NEAR * max(low, answered / IDLE):
        if holds(rate):
            low = rate
        else:
            high = rate
        rate = float(np.sqrt(low * high)) if low and np.isfinite(high) else low * 1.5 if low else rate / 3
    return Load(low, slo_ms, tuple(trials))


def _trial(rate: float, seconds: float, spent: NDArray[np.float64], slo_ms: float) -> Trial:
    """What the latencies of one trial say; a refused request counts as the longest."""
    refused = int(np.isnan(spent).sum())
    longest = float(np.nanmax(spent))
    p50, p95, p99 = np.percentile(np.nan_to_num(spent, nan=longest) * 1e3, [50, 95, 99], method="higher").tolist()
    return Trial(rate, seconds, len(spent), refused, p50, p95, p99, holds=refused == 0 and p99 <= slo_ms)


def _wait(moment: float) -> None:
    """Until perf_counter() is `moment`."""
    left = moment - time.perf_counter()
    if left > SPIN:
        time.sleep(left - SPIN)
    while time.perf_counter() < moment:
        pass
