"""What earlier executions say of a run that has not been carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import params
from bench.catalog import method_class
from bench.errors import Unavailable
from bench.forecast.cost import Cost, Span, combined, middle, paid
from bench.measure import machine, threads
from bench.report.columns import lookup
from bench.report.schedule import on_task
from bench.run.plan import Plan

Record = Mapping[str, Any]
SAME, OTHER = 1.15, 1.6  # what runs of equal and of other settings may differ by


@dataclass(frozen=True, slots=True)
class Known:
    """What a run takes, and where that is known from."""

    cost: Cost
    source: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """Finished executions, which `results` holds the folders of. cpu: this machine's, others' times say nothing."""

    results: Path
    records: Sequence[Record]
    cpu: str = field(default_factory=machine.cpu_model)

    def of(self, plan: Plan) -> Known | None:
        """From executions of the same method, task, device and threads: those that differ in seed or query parameters
        where there are any, else those of other settings."""
        alike = [record for record in on_task(plan, self.records) if self._speaks_of(plan, record)]
        equal = [record for record in alike if _built(plan, record["method"]["params"]) == _built(plan, plan.settings)]
        chosen, slack = (equal, SAME) if equal else (alike, OTHER)
        if not chosen:
            return None
        costs = [paid(record, self.results / "runs" / record["run_id"]) for record in chosen]

        def merge(values: Sequence[float]) -> Span:
            return middle(values, slack)

        return Known(combined(costs, merge, merge), "equal run" if equal else "other settings")

    def _speaks_of(self, plan: Plan, record: Record) -> bool:
        built = lookup(record, "provenance", "build") or {}
        return (
            record["status"] == "ok"
            and record.get("wall_seconds") is not None
            and record.get("timing") == plan.timing
            and lookup(record, "machine", "cpu") == self.cpu
            and (built.get("device"), built.get("threads")) == (plan.device, plan.threads or threads.available())
        )


def _built(plan: Plan, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The values of all parameters but those of queries."""
    try:
        cls = method_class(plan.method)
    except Unavailable:
        return dict(settings)
    declared = params.parameters(cls)
    known = {name: value for name, value in settings.items() if name in declared}  # of another version, some may not be
    return {name: value for name, value in params.resolve(cls, known).items() if declared[name].phase != "query"}
