"""One run after another: a failure is a row, and the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.catalog import metric_functions
from bench.data.cards import find_card
from bench.data.dataset import check_settings
from bench.data.guess import card_of
from bench.data.protocols import parse
from bench.errors import BenchError, StoreError
from bench.report import wording
from bench.report.columns import lookup, main_k, measured
from bench.report.progress import Display
from bench.report.verdict import failure
from bench.run import lifecycle
from bench.run.plan import Home, Plan
from bench.run.prepared import method_of
from bench.run.supervise import Watch
from bench.run.tasks import own_protocol


@dataclass(frozen=True, slots=True)
class Series:
    """Where runs are carried out and who looks on."""

    home: Home
    display: Display
    again: bool = False
    part: str = "metrics"  # of which a run's line speaks; a search must not show the test part of its trials

    def carry_out(self, plan: Plan, position: str = "") -> dict[str, Any]:
        """The record of one run; input that cannot be used makes a record with status "failed" that is not stored."""
        title = title_of(plan)
        self.display.begin(f"{title} {position}".rstrip())
        record = record_of(plan, self.home, self.display, again=self.again)
        self.display.end(summary(title, record, self.part), failed=record["status"] != "ok")
        return record

    def carry_out_all(self, plans: Sequence[Plan]) -> list[dict[str, Any]]:
        """The records of all, in order."""
        if len(plans) == 1:
            return [self.carry_out(plans[0])]
        return [self.carry_out(plan, f"({at} of {len(plans)})") for at, plan in enumerate(plans, 1)]


def title_of(plan: Plan) -> str:
    """What a person reads of a run while it goes."""
    return f"{Path(plan.method).name} on {plan.data or plan.dataset}"


def record_of(plan: Plan, home: Home, watch: Watch, *, again: bool = False) -> dict[str, Any]:
    """The record of a run, one that could not begin included; raises StoreError alone."""
    try:
        return lifecycle.run(plan, home, watch, again=again)
    except StoreError:
        raise
    except BenchError as error:
        return not_begun(plan, error)


def check(plans: Sequence[Plan]) -> None:
    """Raise the error of any plan that names something wrongly, or of a broken metric, before the first one runs."""
    metric_functions()  # a metric that cannot be imported is said now, not after the first training
    for plan in plans:
        method_of(plan)
        parse(protocol_asked(plan))
    for plan in {plan.data or plan.dataset: plan for plan in plans}.values():
        if plan.data is None:
            check_settings(plan.dataset)
        else:
            card_of(plan.data, plan.columns)


def protocol_asked(plan: Plan) -> str:
    """The protocol of a plan, the data set's own where it names none."""
    return plan.protocol or own_protocol(find_card(plan.dataset) if plan.data is None else None)


def not_begun(plan: Plan, error: BenchError) -> dict[str, Any]:
    """The record of a run that could not begin."""
    return lifecycle.blank(plan) | {
        "error": str(error),
        "task": {
            "dataset": str(plan.data or plan.dataset),
            "protocol": {"name": _shown_protocol(plan)},
            "fingerprint": None,
            "requests": None,
            "items": None,
            "interactions": None,
        },
        "method": {"name": Path(plan.method).name, "version": None, "params": dict(plan.settings)},
        "provenance": {"device": plan.device},
    }


def _shown_protocol(plan: Plan) -> str:
    try:
        return protocol_asked(plan)
    except BenchError:
        return "protocol unknown"  # the card itself cannot be read


def summary(title: str, record: dict[str, Any], part: str = "metrics") -> str:
    """One line: what came of a run."""
    if record["status"] != "ok":
        return failure(title, record).text
    k = main_k([record])
    name = f"recall@{k}" if part == "metrics" else f"{part} recall@{k}"
    said = f"{title}: {name} {wording.proportion(measured(record, part, f'recall@{k}'))}"
    seconds = lookup(record, "phases", "train", "seconds")
    return said + (f", trained in {wording.duration(seconds)}" if seconds and seconds >= 0.1 else "")
