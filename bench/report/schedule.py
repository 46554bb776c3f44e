"""What a suite would run, and which of it lies in the store already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import params
from bench.catalog import method_class, parted
from bench.data.cards import find_card
from bench.data.protocols import describe, parse
from bench.errors import Unavailable
from bench.halving import rungs
from bench.report import wording
from bench.report.columns import Record, lookup
from bench.run.plan import Plan
from bench.run.tasks import own_protocol
from bench.suites import Suite


def render(suite: Suite, records: Sequence[Record]) -> RenderableType:
    """A table of the runs, and of the searches with their ranges."""
    parts: list[RenderableType] = [Text(suite.title, "bold")]
    if suite.plans:
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for name in ("", "method", "settings", "data set", "protocol", "seed"):
            table.add_column(name)
        kept = [stored(plan, records) for plan in suite.plans]
        for plan, there in zip(suite.plans, kept, strict=True):
            settings = " ".join(f"{key}={value}" for key, value in plan.settings.items())
            mark = Text("✓ stored", "green") if there else Text("to run", "cyan")
            where = plan.protocol or "the data set's own"
            table.add_row(mark, Path(plan.method).name, settings, str(plan.data or plan.dataset), where, str(plan.seed))
        todo = [plan for plan, there in zip(suite.plans, kept, strict=True) if not there]
        parts += [table, Text(f"{len(todo)} of {len(kept)} runs to do, with {trainings(todo)} different trainings.")]
    for search in suite.searches:
        plan = search.plan
        limit = (
            f"up to {search.trials} trials within {wording.duration(search.seconds)}" if search.ranges else "one run"
        )
        if search.halves:
            steps = rungs(search, sum(1 for _ in search.plans()))
            limit += ", halved: " + ", ".join(f"{rung.trials} of {wording.duration(rung.seconds)}" for rung in steps)
        where = f"{plan.dataset}, {plan.protocol or 'its own protocol'}, seed {plan.seed}"
        parts.append(Text.assemble("\n", (search.name, "bold"), f" on {where}: {limit}"))
        parts += [Text(f"  {name}: {drawn}") for name, drawn in search.ranges.items()]
    if suite.searches:
        parts.append(
            Text(f"\nThe best of each by {suite.searches[0].select} of the validation part is reported.", "dim")
        )
    return Group(*parts)


def trainings(plans: Sequence[Plan]) -> int:
    """How often these runs train at most: runs that differ in index or query parameters alone share a training."""
    return len({training(plan) for plan in plans} - {None})


def training(plan: Plan) -> tuple[str, ...] | None:
    """What names the training of a run, as far as names and parameters tell; where it holds a method, that one's;
    None for a method that is not there."""
    try:
        cls = method_class(plan.method)
    except Unavailable:
        return None
    declared, settings = params.parameters(cls), params.resolve(cls, plan.settings)
    own = sorted(f"{name}={value!r}" for name, value in settings.items() if declared[name].phase == "train")
    task = (plan.dataset, plan.data, plan.protocol, str(plan.conventions), plan.seed)
    return (parted(plan.method)[1], *own, *map(str, task))


def stored(plan: Plan, records: Sequence[Record]) -> bool:
    """Whether the store has this run, as far as names and parameters tell (its data are not looked at)."""
    return any(record.get("status") == "ok" for record in executions(plan, records))


def newest_of(plan: Plan, records: Sequence[Record]) -> Record | None:
    """The newest execution of this run that went well, else the newest; None where there is none."""
    found = executions(plan, records)
    good = [record for record in found if record.get("status") == "ok"]
    return next(iter(reversed(good or found)), None)


def executions(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """The executions of this run, failed ones too, in the order of `records`; found as `stored` does."""
    try:
        wanted = params.resolve(method_class(plan.method), plan.settings)
    except Unavailable:
        wanted = dict(plan.settings)
    known = {name: list(value) if isinstance(value, tuple) else value for name, value in wanted.items()}
    return [
        record
        for record in on_task(plan, records)
        if lookup(record, "method", "params") == known
        and (record.get("seed"), record.get("k"), record.get("timing")) == (plan.seed, plan.k, plan.timing)
        and lookup(record, "load", "slo_ms") in (None, plan.slo_ms)
    ]


def on_task(plan: Plan, records: Sequence[Record]) -> list[Record]:
    """The executions of this method on this task with any settings, as far as names tell."""
    asked = plan.protocol or (own_protocol(find_card(plan.dataset)) if plan.data is None else "")
    protocol = describe(parse(asked)) if asked else None
    return [
        record
        for record in records
        if lookup(record, "method", "name") == Path(plan.method).name.replace(".py:", ":")
        and lookup(record, "task", "dataset") == plan.dataset
        and lookup(record, "task", "conventions") == plan.conventions.as_dict()
        and lookup(record, "live", "remove") == (None if plan.live is None else plan.live.remove)
        and (protocol is None or lookup(record, "task", "protocol") == protocol)
    ]
