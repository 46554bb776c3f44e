"""A run from plan to record: task -> train -> index -> query -> metrics -> store."""

from __future__ import annotations

import dataclasses
import errno
import shutil
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import errors
from bench.cache import begin
from bench.catalog import method_class, parted
from bench.data.task import Task
from bench.measure import machine, threads
from bench.measure.competing import processor
from bench.params import Parameter, build, parameters, resolve
from bench.run import artifacts, timing
from bench.run.hooks import connect, implements
from bench.run.job import Job
from bench.run.judge import judge
from bench.run.live import Change, change
from bench.run.plan import Home, Plan
from bench.run.resume import kept
from bench.run.source import source_digest
from bench.run.spec import Build, Spec, artifact_key
from bench.run.supervise import Watch, carry_out
from bench.run.tasks import task_for
from bench.store import results
from bench.store.results import Store

SCHEMA = 1
STATUS = {
    errors.WorkerTimeout: "timeout",
    errors.WorkerMemory: "memory",
    errors.InvalidAnswer: "invalid",
    errors.Unavailable: "unavailable",
}


@dataclass(frozen=True, slots=True)
class Method:
    """A method as a plan names it, resolved before any work starts; `problem` where it cannot be imported here. held:
    the method that it holds, with which it shares what `train` leaves; None where it holds none."""

    name: str
    params: dict[str, Any]
    declared: dict[str, Parameter]
    version: str
    source: str
    keeps: bool
    reference: bool
    updates: bool = False
    problem: errors.Unavailable | None = None
    held: Method | None = None


def method_of(plan: Plan) -> Method:
    """Check the plan's method and settings; raises UsageError for a bad name or value."""
    timing.modes(plan.timing, plan.device)
    around, held = parted(plan.method)
    name = held
    if ".py:" in name:
        path, _, attribute = name.rpartition(":")
        name = f"{Path(path).stem}:{attribute}"
    name = around + name
    try:
        cls = method_class(plan.method)
    except errors.Unavailable as problem:
        return Method(name, dict(plan.settings), {}, "", "", keeps=False, reference=False, problem=problem)
    try:
        hook = connect(build(cls, plan.settings))
    except errors.ParameterError as error:
        raise errors.ParameterError(f"{name}: {error}") from error
    inner = None
    if around:
        own = parameters(method_class(held)).keys()
        settings = {name: value for name, value in plan.settings.items() if name in own}
        inner = method_of(dataclasses.replace(plan, method=held, settings=settings))
    return Method(
        held=inner,
        name=name,
        params=resolve(cls, plan.settings),
        declared=parameters(cls),
        version=str(getattr(cls, "version", "1")),
        source=source_digest(cls),
        keeps=implements(hook, "save") and implements(hook, "load"),
        reference=implements(hook, "reveal"),
        updates=implements(hook, "update"),
    )


def run(plan: Plan, home: Home, watch: Watch, *, again: bool = False) -> dict[str, Any]:
    """The record of `plan`: from the store where an equal run lies there (unless `again`), else of a new execution.

    A failure of the method (crash, timeout, out of memory, invalid answer, unavailable dependency) is a record too;
    bad input raises a BenchError before any work starts.
    """
    method = method_of(plan)
    task = task_for(plan, home, watch)
    live = None if plan.live is None else dataclasses.asdict(plan.live)
    timed = timing.identity(plan.timing, plan.slo_ms)
    spec = Spec(task.fingerprint, method.name, method.version, method.params, plan.k, plan.seed, timed, live)
    made = Build(method.source, plan.device, plan.threads or threads.available())
    store = Store(home.results)
    if not again:
        for record in store.executions(spec.id)[::-1]:
            if _answers(record, made, plan):
                watch.log(f"{method.name}: answered from the store, {record['run_id']} (--again runs it anew)")
                asked_as = {key: task.about[key] for key in ("dataset", "title")}  # equal content under another name
                return record | {"task": record["task"] | asked_as}
    with store.execution(spec.id) as folder:
        _execute(Execution(plan, home, watch, method, task, spec, made, folder))
    return store.find(f"{spec.id}/{folder.name.rpartition('-')[2]}")


def _answers(record: dict[str, Any], made: Build, plan: Plan) -> bool:
    """Whether an earlier execution stands for a new one: it went well, with the same source, device and threads, and
    was measured at every depth that is asked for."""
    measured = all(f"recall@{k}" in record["metrics"] for k in plan.ks)
    return record["status"] == "ok" and measured and bool(record["provenance"]["build"] == dataclasses.asdict(made))


@dataclass(frozen=True, slots=True)
class Execution:
    """One carrying-out of a spec, writing into `folder`."""

    plan: Plan
    home: Home
    watch: Watch
    method: Method
    task: Task
    spec: Spec
    build: Build
    folder: Path


def _execute(this: Execution) -> None:
    record = _header(this)
    try:
        if this.method.problem is not None:
            raise this.method.problem
        catalogs = _catalogs(this)
        temporary = begin(this.home.cache / "scratch", this.spec.id)
        try:
            record["phases"], measured = _phases(this, temporary)
            record |= measured
            this.watch.stage("metrics")
            record |= judge(this.task, catalogs, this.plan, temporary / "out", this.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if record["work"]:
            of_items = record["work"]["unit"] == "items scored"  # another unit is no share of the catalog
            scorable = len(catalogs.after.candidates()) + len(catalogs.removed)  # an item that left may still lead on
            record["work"]["share"] = record["work"]["mean"] / max(1, scorable) if of_items else None
        record["status"] = "ok"
    except (errors.BenchError, OSError) as error:
        record["status"] = next((status for kind, status in STATUS.items() if isinstance(error, kind)), "failed")
        record["error"] = _said(error, this.home)
        record["traceback"] = "\n".join(getattr(error, "__notes__", [])) or traceback.format_exc()
    results.write(this.folder, record)


def _catalogs(this: Execution) -> Change:
    """What the index is built over and what is asked of it; raises Unavailable where a live run cannot be."""
    if this.plan.live is not None and not this.method.updates:
        raise errors.Unavailable(
            f"{this.method.name} has no update hook, so its index cannot follow a live catalog; run it without --live, "
            f"which builds the index over the whole query catalog"
        )
    return change(this.task, this.plan.live, this.plan.seed)


def _said(error: Exception, home: Home) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full ({error}); free space for --results {home.results} and --cache {home.cache}"
    return str(error)


def _phases(this: Execution, temporary: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each phase took, and what the query phase measured."""
    (temporary / "out").mkdir()
    load: dict[str, str] = {}
    asked = ["query"] if this.plan.live is None else ["update", "query"]
    phases: dict[str, Any] = {}
    if this.method.keeps:
        for phase in ("train", "index"):
            final = _shelf(this, phase)
            unfinished = final.with_name(f"{final.name}.unfinished")  # guarded by the artifact's lock

            def make(state: Path, phase: str = phase, unfinished: Path = unfinished) -> dict[str, Any]:
                job = _job(this, temporary, [phase], load, {phase: str(state)})
                if phase == "train":
                    job = dataclasses.replace(job, unfinished=str(unfinished))
                try:
                    measured: dict[str, Any] = carry_out(job, this.folder, this.plan.limits, this.watch)[phase]
                finally:
                    if not kept(unfinished):
                        shutil.rmtree(unfinished, ignore_errors=True)
                return measured

            state, phases[phase] = artifacts.obtain(final, make, this.watch.log)
            shutil.rmtree(unfinished, ignore_errors=True)
            load[phase] = str(state)
        job = _job(this, temporary, asked, load, {})
        if this.plan.live is None:  # else the catalog is no longer the one that was indexed
            job = dataclasses.replace(job, oracle=str(final / f"oracle-{this.spec.k}-{this.spec.seed}.npz"))
    else:
        job = _job(this, temporary, ["train", "index", *asked], {}, {})
    measured = carry_out(job, this.folder, this.plan.limits, this.watch)
    for phase in job.phases:
        phases[phase] = {**measured.pop(phase), "artifact_bytes": None, "cached": False}
    return phases, measured


def _shelf(this: Execution, phase: str) -> Path:
    """Where what a phase leaves is kept: of training, where the method that is held keeps it."""
    method, spec = this.method, this.spec
    while phase == "train" and method.held is not None:
        method = method.held
        spec = dataclasses.replace(spec, method=method.name, version=method.version, params=method.params)
    build = dataclasses.replace(this.build, source=method.source)
    key = artifact_key(spec, build, method.declared, phase)
    return this.home.cache / "artifacts" / method.name.replace(":", "-") / f"{phase}-{key}"


def _job(this: Execution, temporary: Path, phases: list[str], load: dict[str, str], save: dict[str, str]) -> Job:
    around, source = parted(this.plan.method)
    if ".py:" in source:
        path, _, attribute = source.rpartition(":")
        source = f"{Path(path).resolve()}:{attribute}"
    return Job(
        method=around + source,
        params=this.method.params,
        task=str(this.task.folder),
        phases=phases,
        load=dict(load),
        save=save,
        out=str(temporary / "out"),
        scratch=str(temporary),
        k=this.plan.k,
        seed=this.plan.seed,
        device=this.plan.device,
        threads=this.build.threads,
        timing=list(timing.modes(this.plan.timing, this.plan.device)),
        slo_ms=this.plan.slo_ms,
        live=this.spec.live,
    )


def blank(plan: Plan) -> dict[str, Any]:
    """What every record holds, before anything is known of the run but its plan."""
    return {
        "schema": SCHEMA,
        "run_id": "",
        "status": "failed",
        "error": None,
        "task": {},
        "method": {},
        "seed": plan.seed,
        "k": plan.k,
        "timing": plan.timing,
        "live": None if plan.live is None else dataclasses.asdict(plan.live),
        "metrics": {},
        "validation": {},
        "oracle": None,
        "work": None,
        "latency_ms": None,
        "told": None,
        "throughput_qps": None,
        "load": None,
        "device": None,
        "competing_cores": None,
        "phases": {},
        "machine": machine.describe() | {"processor": processor()},
        "provenance": {},
    }


def _header(this: Execution) -> dict[str, Any]:
    about = this.task.about
    return blank(this.plan) | {
        "run_id": f"{this.spec.id}/{this.folder.name.rpartition('-')[2]}",
        "spec_id": this.spec.id,
        "task": {
            "dataset": about["dataset"],
            "title": about["title"],
            "protocol": about["protocol"],
            "fingerprint": this.task.fingerprint,
            "requests": about["requests"]["test"],
            "items": about["items"],
            "interactions": about["interactions"],
            "conventions": about["conventions"],
            "audit": about["audit"],
            "eligible_items": about["eligible_items"],
            "dropped_targets": about["dropped_targets"]["test"],
            "folder": this.task.folder.name,
            **({} if about.get("distance") is None else {"distance": about["distance"]}),
        },
        "method": {
            "name": this.method.name,
            "version": this.method.version,
            "params": this.method.params,
            "reference": this.method.reference,
        },
        "provenance": {
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "build": dataclasses.asdict(this.build),
            "device": this.plan.device,
            **machine.git_state(Path(__file__).parent),
        },
    }
