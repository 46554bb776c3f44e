"""The worker's side of `bench time`: it waits until it is asked for a turn, and measures it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.context import Context
from bench.data.tables import Catalog, Requests
from bench.measure import latency, threads
from bench.measure.competing import Competing
from bench.run.answers import check
from bench.run.hooks import connect
from bench.run.job import Job
from bench.run.timed import Floor, quiet
from bench.run.worker import Events
from bench.store.columns import TIMINGS, Repetitions, write_timings

LONGEST = 3600.0  # seconds of a closed loop that asks every request of its turn once


def take_turns(
    job: Job,
    hook: Any,
    requests: Requests,
    catalog: Catalog,
    context: Context,
    alone: Context,
    questions: Iterable[str],
    events: Events,
) -> None:
    """Answer all requests once, which warms up, then one turn for each line until there are no more.

    A line is {"mode", "first", "requests", "seconds"}; its calls go to TIMINGS in the job's folder. context is of all
    threads, `alone` of one.
    """
    quietly = quiet(context)
    check(hook.query(requests=requests, k=job.k, context=quietly), requests, job.k, catalog, job.method)
    events.send("answer")
    for line in questions:
        asked = json.loads(line)
        mode, seconds = str(asked["mode"]), float(asked["seconds"])
        with Competing() as competing:
            if mode.endswith("batch"):
                spent = latency.batch(hook.query, requests, job.k, quietly, least=1, seconds=seconds)
                calls = Repetitions(mode, np.full(len(spent), -1, np.int32), spent)
            else:
                rows = (int(asked["first"]) + np.arange(int(asked["requests"]))) % len(requests)
                lent = alone if mode == "single" else quietly
                calls = _singles(mode, hook, requests, rows.astype(np.int32), job.k, lent, seconds)
        write_timings(Path(job.out) / TIMINGS, [calls])
        events.send("answer", competing_cores=competing.cores)


def _singles(
    mode: str,
    hook: Any,
    requests: Requests,
    rows: NDArray[np.int32],
    k: int,
    context: Context,
    seconds: float,
) -> Repetitions:
    """A closed loop over the rows int32 [n], in whole passes, so that every method is asked the same mixture."""
    empty, asked = connect(Floor()).query, requests.take(rows)
    with threads.limited(1) if mode == "single" else contextlib.nullcontext():
        calls = latency.closed_loop(
            hook.query, empty, asked, k, context, least=1, shortest=seconds, seconds=max(LONGEST, seconds)
        )
    count = len(calls.rows) // len(rows) * len(rows)
    return Repetitions(mode, rows[calls.rows[:count]], calls.nanoseconds[:count] / 1e9)
