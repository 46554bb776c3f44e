"""Suites: TOML files that say which methods meet which data, by grids or by a search.

    title = "DVF's beam"
    datasets = ["synthetic"]                # each with each protocol, seed and method
    protocols = ["next-item:users=500"]     # left out: the data set's own
    seeds = [0, 1]

    [[methods]]
    name = "dvf"                            # or "./mine.py:LSH"
    set = { dim = 32 }                      # in every run
    grid = { ef = [50, 100, 200] }          # every combination

    [search]                                # instead of grids: random trials, the same budget for every method
    trials = 20
    seconds = 600
    halving = 3                             # left out: every trial trains in full; else see bench.halving

In place of `datasets`, whose runs have all settings in common, tasks may bring settings of their own:

    [[tasks]]
    dataset = "synthetic:items=1000000"
    title = "1 million items"               # what a figure calls the data set; left out: its card's title
    name = "live"                           # for `tasks` of a method and `line = "task"`; left out: the card's name
    set = { batch = 16 }                    # and grid: of every method that has it, where its own do not name it
    phases = ["update"]                     # of which the measurement `seconds` of a figure is the sum
    # further: protocol, grid, live, remove

    [[methods]]
    name = "dvf"
    label = "whole beam"                    # what a figure calls it; left out: its name
    tasks = ["synthetic"]                   # left out: all
    seeds = [0]                             # of the suite's, left out: all; such as one to screen, three for finalists

A `[figure]` says what of the results is drawn (bench.report.figure).

Further keys: ks, timing, slo_ms, energy = true (of each phase), device, threads, timeout (seconds of a phase),
memory_gb, budget (seconds of a sweep), eligible (a file), [conventions], live = true (`update` brings the new items),
remove (share of the items that leaves then); of the search: seed, select (a validation metric, "recall@50"). A search
draws the parameters that declare a sweep, from its range; range = { dim = [16, 32], lr = { low = 1e-4, high = 1e-2, log
= true } } of a method narrows or adds some.
"""

from __future__ import annotations

import dataclasses
import itertools
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import params
from bench.data.conventions import Conventions
from bench.errors import UnknownName, UsageError
from bench.report.figure import Figure, read_figure
from bench.report.figure_names import Known
from bench.run.plan import Limits, Live, Plan
from bench.run.timing import SLO_MS, usual
from bench.suite_search import read_search
from bench.suite_settings import check_settings, named, refuse_unknown, taken
from bench.tuning import Search

KEYS = {
    "title", "datasets", "protocols", "seeds", "ks", "timing", "slo_ms", "energy", "device", "threads", "timeout",
    "memory_gb", "eligible", "conventions", "methods", "search", "live", "remove", "tasks", "figure", "budget",
}  # fmt: skip
TASK_KEYS = {"dataset", "protocol", "title", "name", "set", "grid", "live", "remove", "phases"}
METHOD_KEYS = {"name", "set", "grid", "range", "label", "tasks", "seeds"}
PHASES = ("train", "index", "update")


@dataclass(frozen=True, slots=True)
class Asked:
    """A task of a suite: a plan without a method, and what all methods are told there.

    title: "" for that of the data set's card; phases: whose seconds a figure adds up.
    """

    plan: Plan
    name: str
    title: str = ""
    grid: Mapping[str, Any] = field(default_factory=dict)
    phases: tuple[str, ...] = PHASES


@dataclass(frozen=True, slots=True)
class Entry:
    """One run of a suite. label: how a figure calls its method; at: which of [[methods]] it comes from, from 1."""

    plan: Plan
    label: str
    task: Asked
    at: int


@dataclass(frozen=True, slots=True)
class Suite:
    """The runs of a suite, in order: `entries` as they are, or `searches` whose trials follow from their budget.

    budget: seconds after which a sweep begins no further run.
    """

    title: str
    entries: tuple[Entry, ...]
    searches: tuple[Search, ...] = ()
    figure: Figure | None = None
    budget: float | None = None

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The runs alone."""
        return tuple(entry.plan for entry in self.entries)


def load_suite(path: Path) -> Suite:
    """The suite in a TOML file; raises UsageError that names the file and what to mend."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the suite cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    return Reading(path).suite(content)


@dataclass(frozen=True, slots=True)
class Reading:
    """One suite file being read; errors name it."""

    path: Path

    def suite(self, content: Mapping[str, Any]) -> Suite:
        """All of it."""
        self.check(content, KEYS, "the suite")
        tasks = self.tasks(content)
        said = self.value(content, "search", dict, None)
        entries: list[Entry] = []
        searches: list[Search] = []
        methods = self.value(content, "methods", list, [])
        if not methods:
            raise UsageError(f"{self.path}: the suite names no method; add [[methods]] with name = ...")
        declared = [self.method(method, at, tasks) for at, method in enumerate(methods, 1)]
        for task in tasks:
            met = [method["name"] for method in declared if task.name in method.get("tasks", [task.name])]
            refuse_unknown({**task.plan.settings, **task.grid}, met, f"{self.path}: task {task.name!r}")
        for task, (method, at) in itertools.product(tasks, zip(declared, itertools.count(1))):
            seed = task.plan.seed
            if task.name not in method.get("tasks", [task.name]) or seed not in method.get("seeds", [seed]):
                continue
            own = self.value(method, "set", dict, {})
            for_all = taken(task.plan.settings, method["name"])
            plan = dataclasses.replace(task.plan, method=method["name"], settings={**for_all, **own})
            if said is None:
                label = self.value(method, "label", str, Path(method["name"]).name)
                grid = {name: axis for name, axis in taken(task.grid, method["name"]).items() if name not in own}
                plans = list(self.grid(plan, method, at, grid))
                check_settings(plans, {**own, **method.get("grid", {})}, self.path, task.name, at)
                entries += [Entry(plan, label, task, at) for plan in plans]
            else:
                check_settings([plan], own, self.path, task.name, at)
                searches.append(read_search(self, plan, method, said, at))
        drawn = self.value(content, "figure", dict, None)
        ks, names = {k for task in tasks for k in task.plan.ks}, {task.name for task in tasks}
        known = Known(str(self.path), ks, {method["name"] for method in declared}, names)
        figure = None if drawn is None else read_figure(drawn, known)
        title, budget = self.value(content, "title", str, self.path.stem), self.budget(content)
        return Suite(title, tuple(entries), tuple(searches), figure, budget)

    def budget(self, content: Mapping[str, Any]) -> float | None:
        """Seconds of a sweep."""
        said = self.value(content, "budget", (int, float), None)
        if said is not None and said <= 0:
            raise UsageError(f"{self.path}: budget = {said} seconds leaves a sweep nothing; raise it or leave it out")
        return None if said is None else float(said)

    def tasks(self, content: Mapping[str, Any]) -> list[Asked]:
        """Each data set with each protocol and seed, or each of [[tasks]] with each seed."""
        said = self.value(content, "conventions", dict, {})
        with named(f"{self.path}: [conventions]"):
            conventions = params.build(Conventions, said)
        eligible = self.value(content, "eligible", str, None)
        gigabytes = self.value(content, "memory_gb", (int, float), None)
        seconds = self.value(content, "timeout", (int, float), None)
        with named(str(self.path)):
            limits = Limits(seconds, None if gigabytes is None else int(gigabytes * 1e9))
        device = self.value(content, "device", str, "cpu")
        base = Plan(
            method="",
            conventions=conventions,
            eligible=None if eligible is None else self.path.parent / eligible,
            live=self.live(content),
            ks=tuple(self.value(content, "ks", list, [10, 50, 200])),
            timing=self.value(content, "timing", str, usual(device)),
            slo_ms=float(self.value(content, "slo_ms", (int, float), SLO_MS)),
            energy=self.flag(content, "energy"),
            device=device,
            threads=self.value(content, "threads", int, 0),
            limits=limits,
        )
        seeds = self.value(content, "seeds", list, [0])
        if "tasks" in content:
            for key in ("datasets", "protocols"):
                if key in content:
                    raise UsageError(f"{self.path}: {key} stands in each of [[tasks]] where there are any")
            said = self.value(content, "tasks", list, [])
            return [self.task(one, at, base, seed) for at, one in enumerate(said, 1) for seed in seeds]
        return [
            Asked(dataclasses.replace(base, dataset=dataset, protocol=protocol, seed=seed), dataset.partition(":")[0])
            for dataset in self.value(content, "datasets", list, ["synthetic"])
            for protocol in self.value(content, "protocols", list, [""])
            for seed in seeds
        ]

    def task(self, said: Any, at: int, base: Plan, seed: int) -> Asked:
        """One of [[tasks]]."""
        where = f"[[tasks]] number {at}"
        if not isinstance(said, Mapping) or not isinstance(said.get("dataset"), str):
            raise UsageError(f'{self.path}: {where} needs dataset = "..."')
        self.check(said, TASK_KEYS, where)
        phases = tuple(self.value(said, "phases", list, list(PHASES)))
        for phase in phases:
            if phase not in PHASES:
                raise UnknownName(f"phase in {where} of {self.path}", str(phase), PHASES)
        plan = dataclasses.replace(
            base,
            dataset=said["dataset"],
            protocol=self.value(said, "protocol", str, ""),
            settings=self.value(said, "set", dict, {}),
            live=self.live(said) if "live" in said or "remove" in said else base.live,
            seed=seed,
        )
        name = self.value(said, "name", str, plan.dataset.partition(":")[0])
        return Asked(plan, name, self.value(said, "title", str, ""), self.value(said, "grid", dict, {}), phases)

    def live(self, content: Mapping[str, Any]) -> Live | None:
        """Whether and how the catalog changes after the index was built."""
        live, remove = self.flag(content, "live"), self.value(content, "remove", (int, float), None)
        if not live and remove is not None:
            raise UsageError(f"{self.path}: remove belongs to live = true")
        with named(str(self.path)):
            return Live(float(remove or 0)) if live else None

    def method(self, said: Any, at: int, tasks: Sequence[Asked]) -> dict[str, Any]:
        """One [[methods]] table, its plugin's path made absolute."""
        where = f"[[methods]] number {at}"
        if not isinstance(said, Mapping) or not isinstance(said.get("name"), str):
            raise UsageError(f'{self.path}: {where} needs name = "..."')
        self.check(said, METHOD_KEYS, where)
        for task in self.value(said, "tasks", list, []):
            if task not in (names := {one.name for one in tasks}):
                raise UnknownName(f"task in {where} of {self.path}", str(task), names)
        known = {task.plan.seed for task in tasks}
        if strange := [seed for seed in self.value(said, "seeds", list, []) if seed not in known]:
            raise UsageError(f"{self.path}: seed {strange[0]} of {where} is none of the suite's seeds, {sorted(known)}")
        name = said["name"]
        if ".py:" in name:
            name = str(self.path.parent / name)
        return {**said, "name": name}

    def grid(self, plan: Plan, method: Mapping[str, Any], at: int, grid: Mapping[str, Any]) -> Iterable[Plan]:
        """Every combination of the values of the task's `grid` and the method's own."""
        axes = {**grid, **self.value(method, "grid", dict, {})}
        if "range" in method:
            raise UsageError(f"{self.path}: [[methods]] number {at}: range belongs to a [search], which is missing")
        for name, values in axes.items():
            if not isinstance(values, list) or not values:
                raise UsageError(f"{self.path}: grid.{name} of {plan.method} must be a list of values")
        for values in itertools.product(*axes.values()):
            yield dataclasses.replace(plan, settings={**plan.settings, **dict(zip(axes, values, strict=True))})

    def check(self, said: Mapping[str, Any], known: Iterable[str], where: str) -> None:
        """Refuse a key that means nothing."""
        for key in said:
            if key not in known:
                raise UnknownName(f"key in {where} of {self.path}", key, known)

    def flag(self, said: Mapping[str, Any], key: str) -> bool:
        """Whether a key says true."""
        value = said.get(key, False)
        if not isinstance(value, bool):
            raise UsageError(f"{self.path}: {key} = {value!r} should be true or false")
        return value

    def value(self, said: Mapping[str, Any], key: str, kind: type | tuple[type, ...], default: Any) -> Any:
        """The value of a key, of the right kind."""
        if key not in said:
            return default
        value = said[key]
        if not isinstance(value, kind) or isinstance(value, bool):
            names = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
            raise UsageError(f"{self.path}: {key} = {value!r} should be of type {names}")
        return value
