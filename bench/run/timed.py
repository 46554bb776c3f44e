"""The timing modes of a `query` hook, one after another, inside a worker process; every repetition is kept."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from bench.answer import Answer
from bench.context import Context
from bench.data.tables import Requests
from bench.hookspecs import hookimpl
from bench.measure import latency, threads
from bench.measure.competing import Competing
from bench.measure.load import highest_rate
from bench.run.hooks import connect
from bench.run.job import Job
from bench.run.worker import Events
from bench.store.columns import TIMINGS, Repetitions, write_timings


def timed(
    job: Job,
    hook: Any,
    requests: Requests,
    context: Context,
    alone: Context,
    arrivals: np.random.Generator,
    events: Events,
) -> dict[str, Any]:
    """What the job's modes say, for the record; context is of all threads, `alone` of one; arrivals: random numbers
    of the mode "load"."""
    found: dict[str, Any] = {}
    kept: list[Repetitions] = []
    with Competing() as competing:
        if "batch" in job.timing:
            events.send("stage", name="throughput")
            spent = latency.batch(hook.query, requests, job.k, context)
            kept.append(Repetitions("batch", np.full(len(spent), -1, np.int32), spent))
            found["throughput_qps"] = _per_second(requests, spent)
        if "single" in job.timing:
            events.send("stage", name="latency")
            told = _Told()
            with threads.limited(1):
                telling = dataclasses.replace(alone, milestone=told)
                calls = latency.closed_loop(hook.query, connect(Floor()).query, requests, job.k, telling)
            found["latency_ms"] = _said(calls)
            found["told"] = told.summary(len(calls.rows))
            kept.append(Repetitions("single", calls.rows, calls.nanoseconds / 1e9))
        if "load" in job.timing:
            events.send("stage", name="load")
            load = highest_rate(hook.query, requests, job.k, quiet(context), job.slo_ms, arrivals)
            found["load"] = load.as_dict()
        if "device" in job.timing:
            events.send("stage", name="device")
            spent = latency.batch(hook.query, requests, job.k, context)
            calls = latency.closed_loop(hook.query, connect(Floor()).query, requests, job.k, quiet(context))
            kept.append(Repetitions("device batch", np.full(len(spent), -1, np.int32), spent))
            kept.append(Repetitions("device", calls.rows, calls.nanoseconds / 1e9))
            found["device"] = {"latency_ms": _said(calls), "throughput_qps": _per_second(requests, spent)}
    found["competing_cores"] = competing.cores
    write_timings(Path(job.out) / TIMINGS, kept)
    return found


def _per_second(requests: Requests, spent: Any) -> float | None:
    return float(len(requests) * len(spent) / spent.sum()) if len(spent) else None


def _said(calls: latency.Calls) -> dict[str, float] | None:
    """Latencies of single calls beside the harness's own share of them; None where there was no call."""
    if not len(calls.rows):
        return None
    floor = latency.summary(calls.floor)["p50"]
    return {**latency.summary(calls.nanoseconds), "floor_p50": floor, "calls": len(calls.rows)}


def quiet(context: Context) -> Context:
    """A context that shows no progress: a call that draws is no longer the method's."""
    return dataclasses.replace(context, progress=lambda done, total, note="": None)


class _Told:
    """Keeps what a method tells of each call, by what it is of and what it says."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}

    def __call__(self, name: str, **values: float) -> None:
        kept = self._values.setdefault(name, {})
        for key, value in values.items():
            kept.setdefault(key, []).append(value)

    def summary(self, calls: int) -> dict[str, dict[str, dict[str, float]]] | None:
        """Mean, p50, p95 and p99 of what the last so many calls told, those that were timed; None of nothing."""
        found = {
            name: {key: latency.spread(np.array(told[-calls:])) for key, told in values.items()}
            for name, values in self._values.items()
        }
        return found if found and calls else None


class Floor:
    """A query hook that does nothing: what is left is the harness."""

    def __init__(self) -> None:
        self._answer = Answer(np.zeros((1, 0), np.int32))

    @hookimpl
    def train(self) -> None:
        """Nothing."""

    @hookimpl
    def index(self) -> None:
        """Nothing."""

    @hookimpl
    def query(self, requests: Requests, k: int) -> Answer:
        """The same answer to everything."""
        return self._answer
