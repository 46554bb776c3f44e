"""What the audit and the statistics of data say, in words."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.report import wording

if TYPE_CHECKING:
    from bench.data.dataset import Dataset
    from bench.data.task import Task

TASK_NOTES = {
    "training_after_request": "training interactions are later than the first test request",
    "repeated_targets": "targets repeat within their request",
    "targets_in_history": "targets are in their request's history",
    "targets_without_training": "targets have no training interaction",
    "items_only_in_test": "items occur in the test part only",
    "users_only_in_test": "users occur in the test part only",
    "requests_without_history": "requests have no history",
    "repeated_training_interactions": "training interactions repeat an earlier one",
}
DATASET_NOTES = {
    "repeated_interactions": "interactions repeat an earlier one of the same user and item",
    "unsorted_rows": "rows stood behind a later one of their user",
    "rows_before_1980": "rows are dated before 1980: is the time in seconds?",
    "users_with_one_interaction": "users have one interaction only",
    "items_with_one_interaction": "items have one interaction only",
    "items_without_interaction": "items of the catalog have no interaction",
    "items_not_described": "items have no row in the item file",
}


def task_notes(audit: Mapping[str, Any] | None) -> str:
    """One line: what a reader should know of a task before believing its numbers; "" where nothing is remarkable."""
    found = audit or {}
    said = [f"{found[name]:,} {meaning}" for name, meaning in TASK_NOTES.items() if found.get(name)]
    tied = found.get("training_tied_share")
    if tied:
        said.append(f"{wording.percent(tied)} of neighbouring interactions are tied in time")
    return "Audit: " + "; ".join(said) + "." if said else ""


def dataset_audit(dataset: Dataset, found: Mapping[str, Any]) -> RenderableType:
    """The audit of a whole data set: each finding marked as in order or worth knowing."""
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row(_mark(0), wording.count(found["interactions"]), "interactions")
    for reason, rows in found["dropped"].items():
        table.add_row(_mark(rows), wording.count(rows), f"rows dropped: {reason}")
    for name, meaning in DATASET_NOTES.items():
        table.add_row(_mark(found[name]), wording.count(found[name]), meaning)
    tied = found["tied_share"]
    if tied is not None:
        table.add_row(_mark(tied), wording.percent(tied), "of a user's neighbouring interactions are tied in time")
    for name, share in found["missing"].items():
        table.add_row(_mark(share), wording.percent(share), f"of the rows have no {name}")
    return Group(Text(dataset.title, "bold"), table, Text(_time(dataset, found)))


def task_audit(task: Task) -> RenderableType:
    """The audit of a split: each finding marked as in order or worth knowing."""
    found, dropped = task.about["audit"], task.about["dropped_targets"]["test"]
    protocol, requests = task.about["protocol"]["name"], task.about["requests"]["test"]
    rows = [(found[name], meaning) for name, meaning in TASK_NOTES.items() if found.get(name) is not None]
    rows.append((dropped["seen"], "more targets were in their request's history and are left out"))
    rows.append((dropped["repeated"], "more targets repeated another of their request and are left out"))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=1)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row(_mark(0), wording.count(requests), "test requests")
    for value, meaning in rows:
        table.add_row(_mark(value), wording.count(value), meaning)
    return Group(Text(f"\nSplit by {protocol}", "bold"), table)


def dataset_stats(dataset: Dataset, found: Mapping[str, Any]) -> RenderableType:
    """Counts, distributions and features."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column()
    facts.add_column(justify="right")
    for name, text in (
        ("users", wording.count(found["users"])),
        ("items", wording.count(found["items"])),
        ("  with interactions", wording.count(found["items_with_interactions"])),
        ("interactions", wording.count(found["interactions"])),
        ("density", f"{100 * found['density']:.3g}%"),
        ("days", wording.count(found["span_days"])),
        ("Gini of popularity", wording.proportion(found["popularity_gini"])),
        *((f"share of the top {share}", wording.percent(value)) for share, value in found["head_share"].items()),
    ):
        facts.add_row(name, text)
    spread = Table(box=SIMPLE_HEAD, pad_edge=False)
    spread.add_column("distribution")
    for name in found["history_length"]:
        spread.add_column(name, justify="right")
    for name, key in (("interactions a user", "history_length"), ("interactions an item", "item_popularity")):
        spread.add_row(name, *(f"{value:,.1f}".removesuffix(".0") for value in found[key].values()))
    features = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("feature", "of", "what it holds"):
        features.add_column(name)
    for owner in ("item", "user"):
        for name, summary in found[f"{owner}_features"].items():
            features.add_row(name, owner, _summary(summary))
    parts: list[RenderableType] = [Text(dataset.title, "bold"), facts, spread]
    parts += [features] if features.row_count else []
    if found["behaviours"]:
        parts.append(Text("behaviours: " + ", ".join(f"{name} {rows:,}" for name, rows in found["behaviours"].items())))
    return Group(*parts)


def prepared(dataset: Dataset) -> RenderableType:
    """That a data set is ready, and its identity."""
    said = f"{dataset.users:,} users, {dataset.catalog.size:,} items, {len(dataset.interactions):,} interactions"
    return Text.assemble((dataset.title, "bold"), f": {said}; fingerprint {dataset.fingerprint[:16]}")


def _summary(summary: Mapping[str, Any]) -> str:
    said = [str(summary.get("kind", "")).lower()]
    for key, value in summary.items():
        if key == "most_common":
            said.append("most often " + ", ".join(f"{name} ({rows:,})" for name, rows in value.items()))
        elif key == "values":
            said.append(f"{value:,} values")
        elif key == "missing":
            said += [f"{wording.percent(value)} missing"] if value else []
        elif key != "kind":
            said.append(f"{key.replace('_', ' ')} {_plain(value)}")
    return ", ".join(said)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _mark(value: float | None) -> Text:
    return Text("•", "yellow") if value else Text("✓", "green")


def _time(dataset: Dataset, found: Mapping[str, Any]) -> str:
    said = {
        "seconds": "Timestamps are in seconds",
        "periods": "Timestamps are coarse periods: many ties, and protocols in time are rough",
        "order": "There are no timestamps, but each user's rows are in order",
        "none": "There is no time: protocols that need an order refuse this data set",
    }.get(dataset.time, dataset.time)
    first, last = found["first_time"], found["last_time"]
    if dataset.time != "seconds" or first is None:
        return f"{said}."
    days = [datetime.datetime.fromtimestamp(moment, datetime.UTC).date().isoformat() for moment in (first, last)]
    return f"{said}, from {days[0]} to {days[1]}."
