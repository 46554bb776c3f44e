"""How a figure words its measurements, numbers and sources."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Sequence

from bench.report import wording
from bench.report.columns import Record, lookup
from bench.report.figure_frontier import beaten
from bench.report.figure_points import Drawing
from bench.report.rows import protocol_label

GROUPS = {"new": "new items", "cold": "items without training", "warm": "items met in training"}
NAMES = {
    "work.share": "share of the catalog scored",
    "work.mean": "scored a request",
    "latency_ms.p50": "latency, median (ms)",
    "latency_ms.p99": "latency, 99th percentile (ms)",
    "throughput_qps": "requests a second",
    "task.items": "items in the catalog",
    "memory": "peak memory",
    "seconds": "seconds",
}


def axis(name: str) -> str:
    """A measurement as the title of its panel or axis."""
    if name.startswith("milestone."):
        return name.partition(".")[2]
    metric, _, group = name.partition("/")
    of = f", {GROUPS.get(group, group)}" if group else ""
    if found := re.fullmatch(r"phases\.(\w+)\.seconds", name):
        return f"{found[1]}, seconds"
    if found := re.fullmatch(r"phases\.(\w+)\.(\w+)_bytes", name):
        return f"{found[2].replace('_rss', ' memory')}, {found[1]}"
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


def end(names: Sequence[str], most: float) -> float:
    """Where an axis of these measurements ends at the latest; most: the largest value on it. Shares end at 100%, and so
    do metrics unless a plugin's goes beyond.
    """
    return 1.0 if most <= 1 and all(is_share(name) or "@" in name for name in names) else math.inf


def names(panel: Sequence[str]) -> list[str]:
    """The measurements of a panel, each as short as the others allow."""
    if len(panel) == 1:
        return [axis(panel[0])]
    whole = [axis(name) for name in panel]
    if len({name.partition("@")[2] for name in panel}) == 1 and "@" in panel[0]:  # "oracle" beside "recall@200"
        return [*(name.partition(" recall@")[0].partition("@")[0] for name in whole[:-1]), whole[-1]]
    parts = [name.partition(", ") for name in whole]
    if len({before for before, _, _ in parts}) == 1:  # "peak memory, index" beside "peak memory, query"
        return [*(after for _, _, after in parts[:-1]), whole[-1]]
    return whole


def tick(name: str, value: float) -> str:
    """A value on an axis."""
    if is_share(name):
        return f"{100 * value:.5g}%"
    if name == "memory" or name.endswith("bytes"):
        return wording.size(value).replace(".0 ", " ") if value else "0"
    if name in ("task.items", "throughput_qps"):
        return _thousands(value)
    if "@" in name:
        return f"{value:.4g}".replace("0.", ".", 1)
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def number(name: str, value: float) -> str:
    """A value beside its bar."""
    if is_share(name):
        return f"{100 * value:.1f}%".replace("-0.0%", "0.0%")
    if "@" in name:
        return wording.proportion(value)
    return f"{value:.3g}" if abs(value) < 1000 and name not in ("memory", "task.items") else tick(name, value)


def facts(records: Sequence[Record], *, brief: bool) -> str:
    """What a panel's runs have in common: protocol, requests and, unless `brief`, items."""
    said = [" or ".join(dict.fromkeys(str(protocol_label(record)).partition(" (")[0] for record in records))]
    for key in ("requests",) if brief else ("requests", "items"):
        values = {lookup(record, "task", key) for record in records}
        if len(values) == 1 and isinstance(value := values.pop(), int):
            said.append(f"{value:,} {key}")
    return " · ".join(said)


def caption(drawing: Drawing) -> str:
    """One line: how to read the intervals, and where the numbers come from."""
    records = drawing.records
    days = sorted({str(lookup(record, "provenance", "started") or "")[:10] for record in records} - {""})
    by_time = sorted(records, key=lambda record: str(lookup(record, "provenance", "started") or ""))
    commits = list(dict.fromkeys(str(lookup(r, "provenance", "commit") or "")[:7] for r in by_time[::-1]))
    cores = {lookup(record, "provenance", "build", "threads") for record in records}
    said = [facts(records, brief=False)] if len(drawing.facets) == 1 else []
    if drawing.seeds > 1:
        drawn = ", each a dot" if drawing.figure.kind == "bars" else ""
        said.append(f"mean of {drawing.seeds} seeds{drawn}")
    said.append("95% bootstrap intervals over requests")
    figure, panels = drawing.figure, [(facet, panel[-1]) for facet in drawing.facets for panel in drawing.figure.y]
    if figure.x and any(any(beaten(facet.points, figure.x, y)) for facet, y in panels):
        said.append("hollow: beaten on both sides, on validation")
    if len(cores) == 1 and isinstance(threads := cores.pop(), int):
        said.append(f"{threads} {'thread' if threads == 1 else 'threads'}")
    if days:
        said.append(days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}")
    if known := [commit for commit in commits if commit]:
        said.append(f"commit {known[0]}" if len(known) == 1 else f"{len(known)} commits, the last {known[0]}")
    return " · ".join(said)


def gaps(drawing: Drawing) -> str:
    """What the figure does not show, "" where it shows all."""
    said = []
    if drawing.missing:
        said.append(f"{len(drawing.missing)} of {drawing.runs} runs are not in the store")
    if drawing.failed:
        more = ", ..." if drawing.failed[1:] else ""
        first = textwrap.shorten(drawing.failed[0], 90, placeholder=" ...")
        said.append(f"{len(drawing.failed)} of {drawing.runs} failed: {first}{more}")
    if drawing.lacking:
        said.append(f"{len(drawing.lacking)} of {drawing.runs} lack some of what is shown")
    return "; ".join(said)


def _thousands(value: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
