"""A run before it begins: its method, task and identity, and what of it is there already."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import errors
from bench.catalog import method_class, parted
from bench.data.task import Task
from bench.measure import energy, threads
from bench.params import Parameter, build, parameters, resolve
from bench.run import timing
from bench.run.hooks import connect, implements
from bench.run.plan import Home, Plan
from bench.run.source import source_digest
from bench.run.spec import Build, Spec, artifact_key
from bench.run.supervise import Watch
from bench.run.tasks import task_for
from bench.store.results import Store


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
    if plan.energy:
        energy.refuse_absent()
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


def place(shelf: Path, method: Method, spec: Spec, build: Build, phase: str) -> Path:
    """Where among the artifacts of `shelf` lies what `phase` ("train", "index") leaves, there or not; of training,
    where the method that is held keeps it."""
    while phase == "train" and method.held is not None:
        method = method.held
        spec = dataclasses.replace(spec, method=method.name, version=method.version, params=method.params)
    build = dataclasses.replace(build, source=method.source)
    return shelf / spec.method.replace(":", "-") / f"{phase}-{artifact_key(spec, build, method.declared, phase)}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan whose method is resolved and whose task is there."""

    plan: Plan
    method: Method
    task: Task
    spec: Spec
    build: Build

    def artifact(self, phase: str, shelf: Path) -> Path:
        """Where among the artifacts of `shelf` lies what `phase` ("train", "index") leaves, there or not."""
        return place(shelf, self.method, self.spec, self.build, phase)

    def oracle(self, shelf: Path) -> Path:
        """The file of the oracle's answers that runs over the same index share, there or not."""
        return self.artifact("index", shelf) / f"oracle-{self.spec.k}-{self.spec.seed}.npz"

    def stored(self, results: Path) -> dict[str, Any] | None:
        """The latest execution in the store that stands for a new one: it went well, with the same source, device and
        threads, and was measured at every depth that is asked for, with its energy where that is."""
        for record in Store(results).executions(self.spec.id)[::-1]:
            measured = all(f"recall@{k}" in record["metrics"] for k in self.plan.ks)
            measured &= not self.plan.energy or "energy" in record["phases"]["query"]
            equal = record["provenance"]["build"] == dataclasses.asdict(self.build)
            if record["status"] == "ok" and measured and equal:
                return record
        return None


def prepare(plan: Plan, home: Home, watch: Watch) -> Prepared:
    """Resolve the method and make the task, unless it is in the cache; raises a BenchError for bad input."""
    method = method_of(plan)
    return prepare_on(plan, method, task_for(plan, home, watch))


def prepare_on(plan: Plan, method: Method, task: Task) -> Prepared:
    """The plan on a task that is not the one that it names: a pilot's."""
    live = None if plan.live is None else dataclasses.asdict(plan.live)
    timed = timing.identity(plan.timing, plan.slo_ms)
    spec = Spec(task.fingerprint, method.name, method.version, method.params, plan.k, plan.seed, timed, live)
    return Prepared(plan, method, task, spec, Build(method.source, plan.device, plan.threads or threads.available()))
