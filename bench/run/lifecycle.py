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
from bench.catalog import parted
from bench.measure import machine
from bench.measure.clock import Clock
from bench.measure.competing import processor
from bench.run import artifacts, timing
from bench.run.job import Job
from bench.run.judge import judge
from bench.run.live import Change, change
from bench.run.plan import Home, Plan
from bench.run.prepared import Prepared, prepare
from bench.run.resume import kept
from bench.run.supervise import Watch, carry_out
from bench.store import results
from bench.store.results import Store

SCHEMA = 1
STATUS = {
    errors.WorkerTimeout: "timeout",
    errors.WorkerMemory: "memory",
    errors.InvalidAnswer: "invalid",
    errors.Unavailable: "unavailable",
}


def run(plan: Plan, home: Home, watch: Watch, *, again: bool = False) -> dict[str, Any]:
    """The record of `plan`: from the store where an equal run lies there (unless `again`), else of a new execution.

    A failure of the method (crash, timeout, out of memory, invalid answer, unavailable dependency) is a record too;
    bad input raises a BenchError before any work starts.
    """
    prepared = prepare(plan, home, watch)
    record = None if again else prepared.stored(home.results)
    if record is None:
        return carry_out_anew(prepared, home, watch)
    watch.log(f"{prepared.method.name}: answered from the store, {record['run_id']} (--again runs it anew)")
    asked_as = {key: prepared.task.about[key] for key in ("dataset", "title")}  # equal content under another name
    return record | {"task": record["task"] | asked_as}


def carry_out_anew(prepared: Prepared, home: Home, watch: Watch) -> dict[str, Any]:
    """The record of a new execution, whatever the store has."""
    store = Store(home.results)
    with store.execution(prepared.spec.id) as folder:
        known = {field.name: getattr(prepared, field.name) for field in dataclasses.fields(prepared)}
        _execute(Execution(**known, home=home, watch=watch, folder=folder))
    return store.find(f"{prepared.spec.id}/{folder.name.rpartition('-')[2]}")


@dataclass(frozen=True, slots=True)
class Execution(Prepared):
    """One carrying-out of a prepared run, writing into `folder`."""

    home: Home
    watch: Watch
    folder: Path


def _execute(this: Execution) -> None:
    record = header(this)
    with Clock() as clock:
        try:
            _fill(record, this)
            record["status"] = "ok"
        except (errors.BenchError, OSError) as error:
            record["status"] = next((status for kind, status in STATUS.items() if isinstance(error, kind)), "failed")
            record["error"] = _said(error, this.home)
            record["traceback"] = "\n".join(getattr(error, "__notes__", [])) or traceback.format_exc()
    record["wall_seconds"] = clock.seconds
    results.write(this.folder, record)


def _fill(record: dict[str, Any], this: Execution) -> None:
    """Carry out the phases and judge their answers."""
    if this.method.problem is not None:
        raise this.method.problem
    catalogs = _catalogs(this)
    temporary = begin(this.home.cache / "scratch", this.spec.id)
    try:
        record |= _phases(this, temporary, record["phases"])
        this.watch.stage("metrics")
        record |= judge(this.task, catalogs, this.plan, temporary / "out", this.folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if record["work"]:
        of_items = record["work"]["unit"] == "items scored"  # another unit is no share of the catalog
        scorable = len(catalogs.after.candidates()) + len(catalogs.removed)  # an item that left may still lead on
        record["work"]["share"] = record["work"]["mean"] / max(1, scorable) if of_items else None


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


def _phases(this: Execution, temporary: Path, phases: dict[str, Any]) -> dict[str, Any]:
    """What the query phase measured; `phases` receives what each took, of a run that fails those before."""
    (temporary / "out").mkdir()
    load: dict[str, str] = {}
    asked = ["query"] if this.plan.live is None else ["update", "query"]
    if this.method.keeps:
        for phase in ("train", "index"):
            final = this.artifact(phase, this.home.shelf)
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

            state, phases[phase] = artifacts.obtain(final, make, this.watch.log, this.home.elsewhere)
            shutil.rmtree(unfinished, ignore_errors=True)
            load[phase] = str(state)
        job = _job(this, temporary, asked, load, {})
        if this.plan.live is None:  # else the catalog is no longer the one that was indexed
            job = dataclasses.replace(job, oracle=str(this.oracle(this.home.shelf)))
    else:
        job = _job(this, temporary, ["train", "index", *asked], {}, {})
    measured = carry_out(job, this.folder, this.plan.limits, this.watch)
    for phase in (*(["load"] if job.load else []), *job.phases):
        phases[phase] = {**measured.pop(phase), "artifact_bytes": None, "cached": False}
    return measured


def _job(this: Execution, temporary: Path, phases: list[str], load: dict[str, str], save: dict[str, str]) -> Job:
    return Job(
        method=located(this.plan.method),
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
        energy=this.plan.energy,
    )


def located(method: str) -> str:
    """A method as a worker finds it, whose folder is another: the path of a file made absolute."""
    around, held = parted(method)
    if ".py:" not in held:
        return method
    path, _, attribute = held.rpartition(":")
    return f"{around}{Path(path).resolve()}:{attribute}"


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
        "oracle_seconds": None,
        "work": None,
        "latency_ms": None,
        "told": None,
        "throughput_qps": None,
        "load": None,
        "device": None,
        "competing_cores": None,
        "wall_seconds": None,
        "phases": {},
        "machine": machine.describe() | {"processor": processor()},
        "provenance": {},
    }


def _asked(plan: Plan) -> dict[str, Any]:
    """What a plan says that the rest of its record does not."""
    return {
        "method": plan.method,
        "data": None if plan.data is None else str(plan.data),
        "columns": None if plan.columns is None else dict(plan.columns),
        "eligible": None if plan.eligible is None else str(plan.eligible),
        "ks": list(plan.ks),
        "slo_ms": plan.slo_ms,
    }


def header(this: Execution) -> dict[str, Any]:
    """A record's beginning: what is run on which task, and where."""
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
            "asked": _asked(this.plan),
            **machine.git_state(Path(__file__).parent),
        },
    }
