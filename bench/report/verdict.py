"""What a row means, in a sentence: where is the loss, in the model or in the index?"""

from __future__ import annotations

from dataclasses import dataclass

from bench.report import wording
from bench.report.columns import Record, depths, lookup, main_k, measured, number, scored_share
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


@dataclass(frozen=True, slots=True)
class Loss:
    """Index loss with its interval."""

    value: float
    low: float
    high: float


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
    if lookup(record, "task", "distance"):
        return Line(label, f"{label} finds {wording.proportion(found)} of the exact nearest neighbours.")
    bound = _bound(task, k)
    reach = f" ({bound[0]}: {wording.proportion(bound[1])})" if bound else ""
    start = f"{label} finds {wording.proportion(found)} of the targets in its top {k}{reach}."
    if _exhaustive(record):
        return Line(label, start)
    oracle = measured(record, "oracle", f"recall@{k}")
    loss = _loss(record, k)
    if oracle is None or loss is None:
        return Line(label, f"{start} It offers no scorer, so its loss cannot be split into model and index.")
    said = f"{start} {_ceiling(record, oracle)}: {_blame(oracle, loss, bound)}{_deeper(record, task, k, loss)}"
    return Line(label, said)


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


def _exhaustive(record: Record) -> bool:
    """Whether a method answers what its scorer ranks first of all items, so that no index stands between the two."""
    return bool(lookup(record, "oracle", "same")) or (scored_share(record) or 0.0) >= 1.0


def _ceiling(record: Record, oracle: float) -> str:
    sample, requests = number(lookup(record, "oracle", "sample")), lookup(record, "task", "requests")
    if isinstance(requests, dict):
        requests = requests.get("test")
    of_sample = sample is not None and isinstance(requests, int) and sample < requests
    where = f" (on a sample of {wording.count(sample)} requests)" if of_sample else ""
    return f"Its scorer over all items would find {wording.proportion(oracle)}{where}"


def _loss(record: Record, k: int) -> Loss | None:
    """None where it was not measured; without an interval the value stands for both its ends."""
    found = lookup(record, "oracle", f"index_loss@{k}")
    value = number(found)
    if value is None:
        return None
    low, high = (number(lookup({"of": found}, "of", end)) for end in ("low", "high"))
    return Loss(value, value if low is None else low, value if high is None else high)


def _blame(oracle: float, loss: Loss, bound: tuple[str, float] | None) -> str:
    said = wording.percent(abs(loss.value))
    if loss.low <= 0 <= loss.high:
        if loss.high <= SMALL_LOSS:
            return "the index loses nothing measurable, so the model is what to improve."
        between = f"{wording.percent(loss.low)} to {wording.percent(loss.high)}"
        return f"whether the index loses anything cannot be told ({between})."
    if loss.value < 0:
        return f"the index finds {said} more than that, so the model is what to improve."
    if loss.value <= SMALL_LOSS:
        return f"the index loses {said}, so the model, not the index, is what to improve."
    if bound and oracle * loss.value > bound[1] - oracle:
        return f"the index loses {said}, more than the model does: let it search wider."
    if loss.value <= LARGE_LOSS:
        return f"the index loses {said}: a wider search would gain a little, a better model more."
    return f"the index loses {said}: let it search wider before touching the model."


def _deeper(record: Record, task: TaskRows, k: int, loss: Loss) -> str:
    """What the index loses at the deepest k, where that is much more than at `k`."""
    most = max(depths(task.records))
    there = _loss(record, most)
    if there is None or there.low <= max(loss.high, 0.0) or there.value <= max(SMALL_LOSS, 2 * loss.value):
        return ""
    return f" In its top {most} it loses {wording.percent(there.value)}: there a wider search gains more."


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
