"""What a row means, in a sentence: where is the loss, in the model or in the index?"""

from __future__ import annotations

from dataclasses import dataclass

from bench.report import wording
from bench.report.columns import Record, lookup, main_k, measured, number
from bench.report.rows import TaskRows, is_bound, succeeded

SMALL_LOSS = 0.02  # below this an index hardly matters
LARGE_LOSS = 0.10  # above this the index comes first


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence about the row called `label`; more: where to read more of a failure."""

    label: str
    text: str
    failed: bool = False
    more: str = ""


def verdict(label: str, record: Record, task: TaskRows) -> Line:
    """The sentence of a finished row."""
    k = main_k(task.records)
    found = measured(record, "metrics", f"recall@{k}")
    if found is None:
        return Line(label, f"{label} was not measured at k = {k}.")
    if is_bound(record):
        return Line(
            label,
            f"{label} knows the simulator's preferences: {wording.proportion(found)} is the most that a method can be "
            f"expected to find{_bound_caveat(record)}.",
        )
    if lookup(record, "method", "name") == "null":
        floor = number(lookup(record, "latency_ms", "p50"))
        taken = f": its p50 of {wording.milliseconds(floor)} ms is what the harness itself takes" if floor else ""
        return Line(label, f"{label} answers nothing{taken}.")
    bound = _bound(task, k)
    reach = f" ({bound[0]}: {wording.proportion(bound[1])})" if bound else ""
    start = f"{label} finds {wording.proportion(found)} of the targets in its top {k}{reach}."
    oracle = measured(record, "oracle", f"recall@{k}")
    loss = measured(record, "oracle", f"index_loss@{k}")
    if oracle is None or loss is None:
        return Line(label, f"{start} It offers no scorer, so its loss cannot be split into model and index.")
    return Line(label, f"{start} {_ceiling(record, oracle)}: {_blame(record, oracle, loss, bound)}")


def failure(label: str, record: Record) -> Line:
    """Status, the error's first line and where to read more."""
    said = {
        "failed": "failed",
        "timeout": "ran past its time limit",
        "memory": "grew past its memory limit",
        "invalid": "gave an answer that cannot be evaluated",
        "unavailable": "cannot run here",
    }.get(str(record.get("status")), str(record.get("status")))
    error = record.get("error")
    if isinstance(error, dict):
        error = error.get("message") or error.get("type")
    first = next((line.strip() for line in str(error or "").splitlines() if line.strip()), "no error was recorded")
    run = str(record.get("run_id") or "")[:8]
    return Line(label, f"{label} {said}: {first}", failed=True, more=f"log: bench inspect {run}" if run else "")


def _ceiling(record: Record, oracle: float) -> str:
    sample, requests = number(lookup(record, "oracle", "sample")), lookup(record, "task", "requests")
    if isinstance(requests, dict):
        requests = requests.get("test")
    of_sample = sample is not None and isinstance(requests, int) and sample < requests
    where = f" (on a sample of {wording.count(sample)} requests)" if of_sample else ""
    return f"Its scorer over all items would find {wording.proportion(oracle)}{where}"


def _blame(record: Record, oracle: float, loss: float, bound: tuple[str, float] | None) -> str:
    if loss < -0.0005:
        return f"the index finds {wording.percent(-loss)} more than that, so the model is what to improve."
    if loss < 0.0005:
        return "the index loses nothing, so the model is what to improve."
    if loss <= SMALL_LOSS:
        return f"the index loses {wording.percent(loss)}, so the model, not the index, is what to improve."
    if bound and oracle * loss > bound[1] - oracle:
        return f"the index loses {wording.percent(loss)}, more than the model does: let it search wider."
    if loss <= LARGE_LOSS:
        return f"the index loses {wording.percent(loss)}: a wider search would gain a little, a better model more."
    return f"the index loses {wording.percent(loss)}: let it search wider before touching the model."


def _bound(task: TaskRows, k: int) -> tuple[str, float] | None:
    values = [
        (label, measured(record, "metrics", f"recall@{k}")) for label, record in task.bounds() if succeeded(record)
    ]
    known = [(label, value) for label, value in values if value is not None]
    return max(known, key=lambda pair: pair[1]) if known else None


def _bound_caveat(record: Record) -> str:
    protocol = lookup(record, "task", "protocol")
    name = protocol.get("name") if isinstance(protocol, dict) else protocol
    return "" if name == "next-item" else " (for this protocol: by the simulator's own order of the next item)"
