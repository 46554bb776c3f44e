"""What a suite will take: each run from the nearest that is known of it, and what its runs share counted once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.data.task import Task
from bench.errors import BenchError
from bench.forecast.cost import ORACLE, REST, RESULTS, Cost, Span, total
from bench.forecast.earlier import Earlier, Known
from bench.forecast.pilots import Unknown, piloted
from bench.halving import Rung, rungs
from bench.report.progress import Display
from bench.run.plan import Home, Plan
from bench.run.prepared import Prepared, method_of, prepare_on
from bench.run.spec import artifact_key
from bench.run.tasks import task_for
from bench.store.results import Store
from bench.suites import Suite
from bench.tuning import Search, training_seconds

STORED = "stored"
OVERRUN = 1.05  # of its seconds that a training takes which is told how long: the batch and validation at its end


@dataclass(frozen=True, slots=True)
class Line:
    """One run, or `times` trials of a search.

    known: what one of them takes, None for want of anything to judge by (source says why); free: phases whose artifact
    is in the cache or comes from a line before; budget: seconds of work that all trials may take.
    """

    plan: Plan
    source: str
    known: Cost | None = None
    free: tuple[str, ...] = ()
    times: int = 1
    budget: float = math.inf

    @property
    def cost(self) -> Cost:
        """What is new, of all trials; nothing where nothing is known."""
        if self.known is None:
            return Cost()
        new = self.known.without(self.free)
        seconds = {part: one.times(self.times) for part, one in new.seconds.items()}
        work = total(one for part, one in seconds.items() if part not in (ORACLE, REST)).value
        share = min(1.0, self.budget / work) if work else 1.0
        seconds = {part: one if part in (ORACLE, REST) else one.times(share) for part, one in seconds.items()}
        return Cost(seconds, self.known.memory, {part: one.times(self.times) for part, one in new.disk.items()})


@dataclass(frozen=True, slots=True)
class Forecast:
    """All lines of a suite, in its order."""

    title: str
    lines: Sequence[Line] = field(default_factory=tuple)

    @property
    def seconds(self) -> Span:
        """Of all that is to be run and can be judged."""
        return total(line.cost.total_seconds for line in self.lines)

    @property
    def results_bytes(self) -> Span:
        return total(line.cost.disk[RESULTS] for line in self.lines if RESULTS in line.cost.disk)

    @property
    def artifact_bytes(self) -> Span:
        return total(one for line in self.lines for part, one in line.cost.disk.items() if part != RESULTS)


def forecast(suite: Suite, home: Home, display: Display, pilot_seconds: float) -> Forecast:
    """Prepare the suite's data and tasks as the sweep would, and say what its runs will take.

    pilot_seconds: about what the pilots of one method on one task take where no earlier run tells.
    """
    judge = _Judge(home, display, pilot_seconds, Earlier(home.results, Store(home.results).records()))
    lines = [judge.line(plan) for plan in suite.plans]
    return Forecast(suite.title, [*lines, *(judge.of_search(search) for search in suite.searches)])


@dataclass(frozen=True, slots=True)
class _Judge:
    """What is known so far: pilots by what they depend on, and the artifacts that earlier lines will leave."""

    home: Home
    display: Display
    pilot_seconds: float
    earlier: Earlier
    piloted: dict[str, Known | Unknown] = field(default_factory=dict)
    promised: set[Path] = field(default_factory=set)
    tasks: dict[tuple[Hashable, ...], Task] = field(default_factory=dict)

    def prepared(self, plan: Plan) -> Prepared:
        """As `prepare`, each task opened once."""
        method = method_of(plan)
        asked = (plan.dataset, plan.data, plan.protocol, plan.conventions, plan.eligible)
        if asked not in self.tasks:
            self.display.begin(f"{plan.data or plan.dataset}: data and task")
            self.tasks[asked] = task_for(plan, self.home, self.display)
        return prepare_on(plan, method, self.tasks[asked])

    def line(self, plan: Plan) -> Line:
        """One run."""
        try:
            prepared = self.prepared(plan)
        except BenchError as error:
            return Line(plan, f"cannot begin: {error}")
        if prepared.stored(self.home.results) is not None:
            return Line(plan, STORED)
        known = self.known(prepared)
        if isinstance(known, Unknown):
            return Line(plan, known.reason)
        return Line(plan, known.source, known.cost, tuple(self.free(prepared)))

    def of_search(self, search: Search) -> Line:
        """All trials of a search, each judged as its first."""
        first = self.line(search.plan)
        if first.source == STORED and (known := self.earlier.of(search.plan)) is not None:
            first = Line(search.plan, known.source, known.cost)
        plans = list(search.plans())
        if search.halves:
            steps = rungs(search, len(plans))
            first, times = _trained(first, steps), sum(rung.trials for rung in steps)
        else:
            times = len(plans) - sum(self.stored(plan) for plan in plans)
        return dataclasses.replace(first, free=(), times=times, budget=search.seconds)

    def stored(self, plan: Plan) -> bool:
        try:
            return self.prepared(plan).stored(self.home.results) is not None
        except BenchError:
            return False

    def known(self, prepared: Prepared) -> Known | Unknown:
        """From earlier runs, else from pilots; a training that is told how long to take takes no longer."""
        if prepared.method.problem is not None:
            return Unknown(f"unavailable: {prepared.method.problem}")
        found: Known | Unknown | None = self.earlier.of(prepared.plan)
        if found is None and not self.pilot_seconds:
            return Unknown("no earlier run, and no pilots")
        if found is None:
            alike = artifact_key(
                dataclasses.replace(prepared.spec, seed=0), prepared.build, prepared.method.declared, "index"
            )
            if alike not in self.piloted:
                self.piloted[alike] = piloted(prepared, self.home, self.display, self.pilot_seconds)
            found = self.piloted[alike]
        bound = training_seconds(prepared.method.declared, prepared.method.params)
        if isinstance(found, Known) and bound is not None and "train" in found.cost.seconds:
            train = found.cost.seconds["train"].at_most(bound * OVERRUN)
            cost = dataclasses.replace(found.cost, seconds={**found.cost.seconds, "train": train})
            return Known(cost, found.source)
        return found

    def free(self, prepared: Prepared) -> Iterable[str]:
        """The phases whose artifact is there or will be; the others of this run will be from now on. Runs over the same
        index share the oracle's answers too."""
        made = ["train", "index"] if prepared.method.keeps else []
        artifacts = {phase: prepared.artifact(phase, self.home.shelf) for phase in made}
        if made and prepared.plan.live is None:
            artifacts[ORACLE] = prepared.oracle(self.home.shelf)
        for part, artifact in artifacts.items():
            if artifact in self.promised or artifact.exists():
                yield part
            self.promised.add(artifact)


def _trained(line: Line, steps: Sequence[Rung]) -> Line:
    """The mean trial of a halved search."""
    if line.known is None or "train" not in line.known.seconds:
        return line
    mean = sum(rung.trials * rung.seconds for rung in steps) / sum(rung.trials for rung in steps)
    seconds = {**line.known.seconds, "train": line.known.seconds["train"].at_most(mean)}
    return dataclasses.replace(line, known=dataclasses.replace(line.known, seconds=seconds))
