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
from bench.errors import BenchError
from bench.forecast.cost import Cost, Span, combined, paid
from bench.forecast.earlier import Known
from bench.forecast.growth import extrapolated_bytes, extrapolated_seconds
from bench.report import wording
from bench.report.progress import Display
from bench.run.lifecycle import carry_out_anew
from bench.run.plan import Home
from bench.run.prepared import Prepared, method_of, prepare_on
from bench.run.tasks import task_for
from bench.tuning import training_seconds

LADDER = (0.05, 0.1, 0.2, 0.4)  # shares of the task's users, or of its vectors
LEAST = 100  # users or vectors that a pilot should have
TRAINING = 1 / 3  # of a pilot's seconds, for a method whose training is told how long to take
CUT = 0.9  # of the seconds that a training was allowed: it would have gone on


@dataclass(frozen=True, slots=True)
class Pilot:
    """One pilot. size: training interactions (vectors) as a share of the whole task's; cut: its training would have
    gone on."""

    share: float
    size: float
    cost: Cost
    cut: bool


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
    for share in [one for one in LADDER if one * units >= LEAST] or LADDER[-1:]:
        spent = monotonic() - begun
        if pilots and spent > seconds:
            break
        if len(pilots) > 1 and _enough(pilots, share, spent, seconds, _extrapolated(pilots, bound)):
            break
        display.begin(f"pilot: {Path(whole.plan.method).name} on {100 * share:g}% of {whole.task.about['title']}")
        made = _pilot(whole, scratch, home, display, share, seconds, bound)
        if isinstance(made, Unknown):
            display.end(f"pilot: {Path(whole.plan.method).name}: {made.reason}", failed=True)
            if pilots:
                break
            return made
        display.end(f"pilot: {Path(whole.plan.method).name} on {100 * share:g}%", failed=False)
        pilots.append(made)
    shares = " and ".join(f"{100 * pilot.share:g}%" for pilot in pilots[-2:])
    return Known(_extrapolated(pilots, bound), f"pilots of {shares}" if len(pilots) > 1 else f"a pilot of {shares}")


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
    if record["status"] == "timeout":
        return Unknown(f"{100 * share:g}% of it takes more than {wording.duration(seconds)} (--pilot-seconds)")
    if record["status"] != "ok":
        return Unknown(f"its pilot ended with status {record['status']}: {record['error']}")
    about, all_of = task.about, whole.task.about
    size = (
        about["interactions"] / all_of["interactions"] if all_of["interactions"] else about["items"] / all_of["items"]
    )
    cost = paid(record, scratch.results / "runs" / record["run_id"])
    cut = allowed is not None and cost.seconds["train"].value >= CUT * allowed
    return Pilot(share, size, cost, cut)


def _enough(pilots: Sequence[Pilot], share: float, spent: float, seconds: float, whole: Cost) -> bool:
    """Whether the pilot of `share` would take too long, at most in proportion to the one before, or the pilots have
    taken half as long as the run itself will."""
    coming = pilots[-1].cost.total_seconds.value * share / pilots[-1].share
    return spent + coming > seconds or spent > whole.total_seconds.value / 2


def _extrapolated(pilots: Sequence[Pilot], bound: float | None) -> Cost:
    """The whole run. bound: seconds that its training is told to take at most."""
    sizes = [pilot.size for pilot in pilots]
    cost = combined(
        [pilot.cost for pilot in pilots],
        lambda seconds: extrapolated_seconds(sizes, seconds),
        lambda amounts: extrapolated_bytes(sizes, amounts),
    )
    if bound is None or not pilots[-1].cut:
        return cost
    spent = cost.seconds["train"].low
    train = Span(bound, bound, bound) if math.isfinite(bound) else Span(spent / sizes[-1], spent, math.inf)
    return dataclasses.replace(cost, seconds={**cost.seconds, "train": train})
