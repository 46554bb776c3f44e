"""A forecast for people: a table a task, what it comes to, which limits it would hit."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.forecast.cost import ORACLE, Cost, Span
from bench.forecast.forecast import STORED, Forecast, Line
from bench.report import wording

PARTS = ("train", "index", "query", ORACLE)


def render(forecast: Forecast, warnings: Sequence[str], free: str) -> RenderableType:
    """The forecast. warnings: limits that would be hit; free: what of the disks is free, in words."""
    groups: dict[str, list[Line]] = {}
    for line in forecast.lines:
        protocol = line.plan.protocol or "the data set's own protocol"
        groups.setdefault(f"{line.plan.data or line.plan.dataset} · {protocol}", []).append(line)
    parts: list[RenderableType] = [Text(forecast.title, "bold")]
    for where, lines in groups.items():
        parts += [Text(f"\n{where}"), _table(lines)]
    parts += [Text(line) for line in _totals(forecast, free)]
    unknown = [f"{_named(line)}: {line.source}" for line in forecast.lines if _unknown(line)]
    parts += [Text(f"! {said}", "yellow") for said in dict.fromkeys([*unknown, *warnings])]
    return Group(*parts)


def _table(lines: Sequence[Line]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("method and settings")
    for header in (*PARTS, "rest", "all", "range", "memory", "disk"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("judged by", no_wrap=True)
    for line in lines:
        cost = line.cost
        if line.known is None:
            table.add_row(
                _named(line), *[""] * 9, Text("unknown", "yellow") if _unknown(line) else Text(STORED, "green")
            )
            continue
        seconds = [_seconds(cost, part, line.free) for part in PARTS]
        rest = wording.seconds(sum(one.value for part, one in cost.seconds.items() if part not in PARTS))
        table.add_row(
            _named(line),
            *seconds,
            rest,
            wording.seconds(cost.total_seconds.value),
            _range(cost.total_seconds),
            wording.size(cost.peak_memory.value),
            wording.size(cost.total_disk.value),
            Text(line.source, "dim"),
        )
    return table


def _seconds(cost: Cost, part: str, free: Sequence[str]) -> str | Text:
    if part in free:
        return Text("shared", "dim")
    return wording.seconds(cost.seconds[part].value) if part in cost.seconds else wording.NOTHING


def _unknown(line: Line) -> bool:
    return line.known is None and line.source != STORED


def _named(line: Line) -> str:
    return line.plan.name + (f" x {line.times} trials" if math.isfinite(line.budget) else "")


def _totals(forecast: Forecast, free: str) -> list[str]:
    stored = sum(line.source == STORED for line in forecast.lines)
    unknown = sum(map(_unknown, forecast.lines))
    todo = len(forecast.lines) - stored
    said = f"{todo} of {len(forecast.lines)} to run"
    said += f", {unknown} of them unknown and not counted" if unknown else ""
    if todo == unknown:
        return [said + "."]
    seconds, artifacts, results = forecast.seconds, forecast.artifact_bytes, forecast.results_bytes
    peak = max((line.cost.peak_memory.value for line in forecast.lines), default=0.0)
    return [
        f"{said}: {wording.duration(seconds.value)} ({_range(seconds)}), of which training "
        f"{wording.duration(_training(forecast))}; what is shared or in the cache is counted once.",
        f"Memory: {wording.size(peak)} at most. Disk: {wording.size(artifacts.value)} of artifacts and "
        f"{wording.size(results.value)} of results; {free}.",
    ]


def _training(forecast: Forecast) -> float:
    return sum(line.cost.seconds["train"].value for line in forecast.lines if "train" in line.cost.seconds)


def _range(span: Span) -> str:
    high = wording.seconds(span.high) if math.isfinite(span.high) else "?"
    return f"{wording.seconds(span.low)} to {high}"
