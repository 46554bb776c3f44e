"""Pilots: a method on growing shares of its task, by the ordinary machinery, in a scratch folder that is removed."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from bench.cache import begin
from bench.data.task import Task
from bench.errors import BenchError
from bench.forecast.cost import ORACLE, REST, Cost, Span, paid
from bench.forecast.earlier import Known
from bench.forecast.growth import growing, mostly_fixed
from bench.report.progress import Display
from bench.run.lifecycle import carry_out_anew
from bench.run.oracle import sample_size
from bench.run.plan import Home
from bench.run.prepared import Prepared, method_of, prepare_on
from bench.run.tasks import task_for
from bench.tuning import training_seconds

PHASES = ("train", "index", "query")
LADDER = (0.05, 0.1, 0.2, 0.4)  # shares of the task's users, or of its vectors
LEAST = 100  # users or vectors that a pilot should have
TRAINING = 1 / 3  # of a pilot's seconds, for a method whose training is told how long to take
CUT = 0.9  # of the seconds that a training was allowed: it would have gone on


@dataclass(frozen=True, slots=True)
class Pilot:
    """One pilot. size, items, asked: its training interactions (vectors), its catalog and its oracle's requests, as
    shares of the whole task's; cut: its training would have gone on; late: the phase that did not end in time, or "".
    """

    share: float
    size: float
    items: float
    asked: float
    cost: Cost
    cut: bool
    late: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why nothing is known of a run."""

    reason: str


def piloted(whole: Prepared, home: Home, display: Display, seconds: float) -> Known | Unknown:
    """What pilots of about `seconds` in all say of the whole run.

    Shares grow until the seconds are spent, or half of what the whole run would take. Raises no error of the method: a
    pilot that fails is an answer too.
    """
    scratch = begin(home.cache / "scratch", "pilot")
    try:
        return _climb(whole, Home(scratch / "results", scratch / "cache", home.data_root), home, display, seconds)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _climb(whole: Prepared, scratch: Home, home: Home, display: Display, seconds: float) -> Known | Unknown:
    bound = training_seconds(whole.method.declared, whole.method.params)
    units = whole.task.about["training_users"] or whole.task.about["items"]
    pilots: list[Pilot] = []
    begun = monotonic()
    while (share := _next_share(pilots, units, seconds - (monotonic() - begun))) is not None:
        if len(pilots) > 1 and monotonic() - begun > _extrapolated(pilots, bound).total_seconds.value / 2:
            break
        title = f"pilot: {Path(whole.plan.method).name} on {100 * share:g}% of {whole.task.about['title']}"
        display.begin(title)
        made = _pilot(whole, scratch, home, display, share, seconds, bound)
        if isinstance(made, Unknown):
            display.end(f"{title}: {made.reason}", failed=True)
            return made
        display.end(f"{title}: {made.late} did not end in time" if made.late else title, failed=bool(made.late))
        if pilots and made.late:
            break
        pilots.append(made)
    shares = ", ".join(f"{100 * pilot.share:g}%" for pilot in pilots[-2:])
    said = f"pilot {shares}: {pilots[-1].late} unended" if pilots[-1].late else f"pilots {shares}"
    return Known(_extrapolated(pilots, bound), said)


def _pilot(
    whole: Prepared, scratch: Home, home: Home, display: Display, share: float, seconds: float, bound: float | None
) -> Pilot | Unknown:
    plan = dataclasses.replace(whole.plan, limits=dataclasses.replace(whole.plan.limits, seconds=seconds))
    allowed = None if bound is None else min(bound, seconds * TRAINING)
    if allowed is not None:
        plan = dataclasses.replace(plan, settings={**plan.settings, "seconds": allowed})
    try:
        task = task_for(plan, home, display, share, scratch.cache)
        record = carry_out_anew(prepare_on(plan, method_of(plan), task), scratch, display)
    except BenchError as error:
        return Unknown(f"no pilot on {100 * share:g}%: {error}")
    if record["status"] not in ("ok", "timeout"):
        return Unknown(f"its pilot ended with status {record['status']}: {record['error']}")
    kind = "interactions" if whole.task.about["interactions"] else "items"
    size = task.about[kind] / whole.task.about[kind]
    cost = paid(record, scratch.results / "runs" / record["run_id"])
    late = "" if record["status"] == "ok" else next(phase for phase in PHASES if phase not in record["phases"])
    if late:
        measured = {part: one for part, one in cost.seconds.items() if part != REST}
        cost = dataclasses.replace(cost, seconds={**measured, late: Span(seconds, seconds, math.inf)})
    cut = allowed is not None and cost.seconds["train"].value >= CUT * allowed
    items = task.about["items"] / whole.task.about["items"]
    return Pilot(share, size, items, _oracle_requests(task) / _oracle_requests(whole.task), cost, cut, late)


def _oracle_requests(task: Task) -> int:
    return sample_size(task.about["requests"]["test"], task.about["eligible_items"] or task.about["items"])


def _next_share(pilots: Sequence[Pilot], units: int, left: float) -> float | None:
    """The largest share that a pilot may do in the seconds that are left, if all but the rest is in proportion; the
    second is made even where it takes longer. The further apart two pilots are, the less does chance decide.
    """
    if not pilots:
        return next((share for share in LADDER if share * units >= LEAST), LADDER[-2])
    last = pilots[-1]
    larger = [share for share in LADDER if share > last.share]
    if last.late or not larger or (left <= 0 and len(pilots) > 1):
        return None
    rest = last.cost.seconds[REST].value
    work = last.cost.total_seconds.value - rest
    fitting = [share for share in larger if rest + work * share / last.share <= left]
    return max(fitting, default=larger[0] if len(pilots) == 1 else None)


def _extrapolated(pilots: Sequence[Pilot], bound: float | None) -> Cost:
    """The whole run. bound: seconds that its training is told to take at most."""
    last = pilots[-1]
    seconds = {part: _seconds(pilots, part, bound) for part in last.cost.seconds if part != last.late}
    if last.late:
        seconds[last.late] = last.cost.seconds[last.late]
    sizes = [pilot.size for pilot in pilots]
    memory = [pilot.cost.memory for pilot in pilots]
    disk = [pilot.cost.disk for pilot in pilots]
    return Cost(
        seconds,
        {part: mostly_fixed(sizes, [one[part].value for one in memory]) for part in last.cost.memory},
        {part: mostly_fixed(sizes, [one[part].value for one in disk]) for part in last.cost.disk},
    )


def _seconds(pilots: Sequence[Pilot], part: str, bound: float | None) -> Span:
    """Of one part. A training that was cut tells only that it takes longer: up to its bound."""
    told = [pilot for pilot in pilots if part != "train" or not pilot.cut] or pilots
    sizes = [pilot.asked if part == ORACLE else pilot.size for pilot in told]
    fixed = part == REST or (part == "index" and told[-1].items == 1)  # a single pilot shows no curve
    curve = mostly_fixed if fixed and len(told) == 1 else growing
    found = curve(sizes, [pilot.cost.seconds[part].value for pilot in told])
    if part != "train" or bound is None:
        return found
    cut = [pilot.cost.seconds[part].value for pilot in pilots if pilot.cut]
    if cut:
        value = bound if len(cut) == len(pilots) and math.isfinite(bound) else found.value
        found = Span(max(value, max(cut)), max(found.low, max(cut)), math.inf)
    return found.at_most(bound)
