"""How a figure words its measurements, numbers and sources."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bench.report import wording
from bench.report.columns import Record, lookup
from bench.report.figure_points import Drawing
from bench.report.rows import protocol_label

GROUPS = {"new": "items new since training", "cold": "items without training", "warm": "items met in training"}
NAMES = {
    "work.share": "share of the catalog scored",
    "latency_ms.p50": "latency of one request, median (ms)",
    "latency_ms.p99": "latency of one request, 99th percentile (ms)",
    "throughput_qps": "requests a second",
    "task.items": "items in the catalog",
    "memory": "peak memory",
    "seconds": "seconds",
}


def axis(name: str) -> str:
    """A measurement as the title of its panel or axis."""
    metric, _, group = name.partition("/")
    of = f", {GROUPS.get(group, group)}" if group else ""
    if found := re.fullmatch(r"phases\.(\w+)\.seconds", name):
        return f"{found[1]}, seconds"
    if found := re.fullmatch(r"phases\.(\w+)\.(\w+)_bytes", name):
        return f"{found[1]}, {found[2].replace('_rss', ' memory')}"
    head, _, k = metric.partition("@")
    if head == "oracle.coverage":
        return f"share of the exact top {k} found{of}"
    if head == "oracle":
        return f"oracle recall@{k}{of}"
    if head == "coverage":
        return f"share of the catalog answered @{k}"
    if k:
        return f"{head.replace('_', ' ').rpartition('.')[2]}@{k}{of}"
    return NAMES.get(name, name.removeprefix("params.").replace("_", " "))


def is_share(name: str) -> bool:
    """Whether a measurement reads best in per cent."""
    return name.startswith(("oracle.coverage", "index_loss", "coverage", "work.share"))


def number(name: str, value: float) -> str:
    """A value of a measurement, short: for ticks and the ends of bars."""
    if is_share(name):
        shown = f"{100 * value:.3g}" if abs(value) < 0.9995 or value == 1 else f"{100 * value:.2f}"
        return f"{shown}%"
    if name == "memory" or name.endswith("bytes"):
        return wording.size(value)
    if name in ("task.items", "throughput_qps"):
        return wording.short_count(value).removesuffix(".0k").removesuffix(".0M") if value < 1000 else _thousands(value)
    if "@" in name:
        return wording.proportion(value)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def facts(records: Sequence[Record]) -> str:
    """What a panel's runs have in common: protocols, requests, items."""
    said = [" or ".join(dict.fromkeys(str(protocol_label(record)).partition(" (")[0] for record in records))]
    for key, noun in (("requests", "requests"), ("items", "items")):
        values = {lookup(record, "task", key) for record in records}
        if len(values) == 1 and isinstance(value := values.pop(), int):
            said.append(f"{value:,} {noun}")
    return " · ".join(said)


def caption(drawing: Drawing) -> str:
    """One line: how to read the intervals, and where the numbers come from."""
    records = drawing.records
    days = sorted({str(lookup(record, "provenance", "started") or "")[:10] for record in records} - {""})
    commits = list(dict.fromkeys(str(lookup(r, "provenance", "commit") or "")[:7] for r in records))
    cores = {lookup(record, "provenance", "build", "threads") for record in records}
    said = ["95% bootstrap intervals over requests"]
    if len(cores) == 1 and isinstance(threads := cores.pop(), int):
        said.append(f"{threads} {'thread' if threads == 1 else 'threads'}")
    if days:
        said.append(days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}")
    if known := [commit for commit in commits if commit]:
        said.append(f"commit {known[0]}" if len(known) == 1 else f"{len(known)} commits, the last {known[-1]}")
    return " · ".join(said)


def gaps(drawing: Drawing) -> str:
    """What the figure does not show, "" where it shows all."""
    said = []
    if drawing.missing:
        said.append(f"{len(drawing.missing)} of {drawing.runs} runs are not in the store")
    if drawing.failed:
        shown = ", ".join(drawing.failed[:2]) + (f" and {len(drawing.failed) - 2} more" if drawing.failed[2:] else "")
        said.append(f"{len(drawing.failed)} failed: {shown}")
    return "; ".join(said)


def _thousands(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
