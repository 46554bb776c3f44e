"""The phases of a method, measured, inside a worker process."""

from __future__ import annotations

import dataclasses
import logging
import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bench import params
from bench.answer import Answer
from bench.catalog import method_class
from bench.context import Context
from bench.data.tables import Catalog, Requests
from bench.data.task import PARTS, Task
from bench.errors import Unavailable
from bench.measure import latency
from bench.measure.clock import Clock
from bench.measure.energy import Energy
from bench.measure.memory import peak_rss_bytes, reset_peak
from bench.run import oracle
from bench.run.answers import check
from bench.run.hooks import connect, implements
from bench.run.job import Job
from bench.run.live import change
from bench.run.plan import Live
from bench.run.resume import Unfinished
from bench.run.timed import timed
from bench.run.turn import take_turns
from bench.run.worker import Events, forbid

ENERGY_SECONDS = 5.0  # the least that serving is watched for: codecarbon looks once a second
# Random numbers of a seed; 6 is bench.run.live's. Turns ask as the query phase does.
STREAMS = {"train": 1, "index": 2, "query": 3, "turns": 3, "oracle": 4, "update": 5, "load": 7}


def carry_out(job: Job, events: Events) -> None:
    """Do the job's phases and tell what was measured; answers and latencies go to files in `job.out`."""
    task = Task.open(Path(job.task))
    readable = {task.folder / "targets" / "validation"} if "train" in job.phases else set()
    forbid(task.folder / "targets", readable)
    cls = method_class(job.method)
    method = params.build(cls, job.params)
    hook = connect(method)
    catalogs = change(task, None if job.live is None else Live(**job.live), job.seed)
    if job.load:
        _load(job, hook, events)
    for phase in job.phases:
        if phase != "train":
            readable.clear()
        reset_peak()
        events.send("stage", name=phase)
        context = _context(job, phase, events)
        before = 0.0
        if phase == "train" and job.unfinished:
            unfinished = Unfinished(Path(job.unfinished))
            before = unfinished.begin()
            context = dataclasses.replace(context, checkpoint=unfinished.state)
        if phase == "query":
            _query(job, task, catalogs.after, hook, cls, context, events)
            continue
        if phase == "turns":
            alone = _context(job, phase, events, alone=True)
            take_turns(job, hook, task.requests("test"), catalogs.after, context, alone, sys.stdin, events)
            continue
        with Energy(asked=job.energy) as energy, Clock(before) as clock:
            milestones = _Milestones(clock)
            context = dataclasses.replace(context, milestone=milestones)
            if phase == "train":
                hook.train(data=task.training(), context=context)
            elif phase == "index":
                hook.index(catalog=catalogs.before, context=context)
            else:
                added, removed = catalogs.added, catalogs.removed
                hook.update(catalog=catalogs.after, added=added, removed=removed, context=context)
        peak = peak_rss_bytes()
        if job.save.get(phase):
            hook.save(folder=Path(job.save[phase]), phase=phase)
        measured: dict[str, Any] = {**clock.times, "peak_rss_bytes": peak, **energy.told}
        measured |= {"resumed_after_seconds": before} if before else {}
        measured |= {"milestones": milestones.passed} if milestones.passed else {}
        events.send("measured", values={phase: measured})
        shutil.rmtree(context.scratch, ignore_errors=True)


def _load(job: Job, hook: Any, events: Events) -> None:
    """Bring back what earlier phases left, measured as a phase of its own where what follows is to serve."""
    reset_peak()
    with Clock() as clock:
        for phase, folder in job.load.items():
            hook.load(folder=Path(folder), phase=phase, context=_context(job, phase, events))
    if "query" in job.phases:
        events.send("measured", values={"load": {**clock.times, "peak_rss_bytes": peak_rss_bytes()}})


def _query(job: Job, task: Task, catalog: Catalog, hook: Any, cls: type, context: Context, events: Events) -> None:
    """Answer validation and test requests from `catalog`, measure, then ask the oracle."""
    out = Path(job.out)
    if implements(hook, "reveal"):
        preferences = task.preferences()
        if preferences is None:
            raise Unavailable(
                f"{job.method} needs the true preferences, which only a simulated data set has; use --dataset synthetic"
            )
        hook.reveal(preferences=preferences, context=context)
    answers: dict[str, Answer] = {}
    requests: Requests = task.requests("validation")
    for part in PARTS:  # validation comes first and warms up what compiles on first use
        requests = task.requests(part)
        with Clock() as clock:
            milestones = _Milestones(clock)
            telling = dataclasses.replace(context, milestone=milestones)
            given = hook.query(requests=requests, k=job.k, context=telling)
        answers[part] = check(given, requests, job.k, catalog, job.method)
        _keep(out, part, answers[part])
    values: dict[str, Any] = {"work": _work(answers["test"], cls)}
    if job.timing:
        alone = _context(job, "query", events, alone=True)
        arrivals = np.random.default_rng([job.seed, STREAMS["load"]])
        values |= timed(job, hook, requests, context, alone, arrivals, events)
    values["query"] = {**clock.times, "peak_rss_bytes": peak_rss_bytes()}
    values["query"] |= {"milestones": milestones.passed} if milestones.passed else {}
    if job.energy:
        values["query"] |= _serving_energy(job, hook, requests, context, events)
    events.send("measured", values=values)
    if implements(hook, "score"):
        events.send("stage", name="oracle")
        rows = oracle.sample(len(requests), catalog, np.random.default_rng([job.seed, STREAMS["oracle"]]))
        asked = requests.take(rows)
        with Clock() as clock:
            best = (
                oracle.exact_top_once(Path(job.oracle), hook.score, asked, catalog, job.k, context)
                if job.oracle
                else oracle.exact_top(hook.score, asked, catalog, job.k, context)
            )
        events.send("measured", values={"oracle_seconds": clock.seconds})
        np.save(out / "oracle_rows.npy", rows)
        np.save(out / "oracle_ids.npy", best.ids)
    shutil.rmtree(context.scratch, ignore_errors=True)


def _serving_energy(job: Job, hook: Any, requests: Requests, context: Context, events: Events) -> dict[str, Any]:
    """The energy of answering all requests in a call, over and over, and how many those were."""
    events.send("stage", name="energy")
    with Energy(asked=True) as energy:
        calls = latency.batch(hook.query, requests, job.k, context, least=1, seconds=ENERGY_SECONDS)
    return {"energy": {**energy.told["energy"], "requests": len(calls) * len(requests)}}


def _context(job: Job, phase: str, events: Events, alone: bool = False) -> Context:
    scratch = Path(tempfile.mkdtemp(prefix=f"{phase}-", dir=job.scratch))
    return Context(
        seed=job.seed,
        rng=np.random.default_rng([job.seed, STREAMS[phase]]),
        device=job.device,
        threads=1 if alone else job.threads,
        scratch=scratch,
        progress=(lambda done, total, note="": None) if alone else events.progress,
        log=logging.getLogger(job.method),
    )


class _Milestones:
    """What a phase reached on its way, each with the seconds of its clock; a value that is not finite is left out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.passed: list[dict[str, Any]] = []

    def __call__(self, name: str, **values: float) -> None:
        told = {key: value for key, value in values.items() if math.isfinite(value)}
        self.passed.append({"name": name, "seconds": self._clock.seconds, **told})


def _keep(out: Path, part: str, answer: Answer) -> None:
    np.save(out / f"{part}_ids.npy", answer.ids)
    if answer.scores is not None:
        np.save(out / f"{part}_scores.npy", answer.scores.astype(np.float32))
    if answer.work is not None:
        np.save(out / f"{part}_work.npy", answer.work.astype(np.int32))


def _work(answer: Answer, cls: type) -> dict[str, Any] | None:
    if answer.work is None:
        return None
    return {"unit": getattr(cls, "work_unit", "items scored"), "mean": float(answer.work.mean())}
