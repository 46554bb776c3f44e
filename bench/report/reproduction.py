"""A run and what came of it when it was carried out again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.report import wording
from bench.report.columns import Record, lookup, number
from bench.report.contrast import cost_lines
from bench.report.rows import group, labels, succeeded

COSTS = ("p50", "p99", "qps", "train", "index", "memory")
SHOWN = 12  # metrics that differ


def differences(before: Record, now: Record) -> dict[str, tuple[float | None, float | None]]:
    """The measurements of validation, test and oracle that are not equal to the last digit, intervals included."""
    found = {}
    for part in ("metrics", "validation", "oracle"):
        first, second = (lookup(record, part) or {} for record in (before, now))
        for name in dict.fromkeys([*first, *second]):
            if first.get(name) != second.get(name):
                called = name if part == "metrics" else f"{part} {name}"
                found[called] = (number(first.get(name)), number(second.get(name)))
    return found


def equal(before: Record, now: Record) -> bool:
    """Whether the new run gave the same task the same measurements, times apart."""
    same = lookup(before, "task", "fingerprint") == lookup(now, "task", "fingerprint")
    return same and succeeded(now) and not differences(before, now)


def circumstances(before: Record, now: Record) -> Iterator[tuple[str, str, str]]:
    """What differs around the two runs: name, before, now."""
    for name, path in (
        ("task", ("task", "fingerprint")),
        ("processor", ("machine", "cpu")),
        ("cores", ("machine", "cores")),
        ("system", ("machine", "system")),
        ("Python", ("machine", "python")),
        ("GPU", ("machine", "gpu")),
        ("method's version", ("method", "version")),
        ("source", ("provenance", "build", "source")),
        ("commit", ("provenance", "commit")),
    ):
        one, two = lookup(before, *path), lookup(now, *path)
        if one != two:
            yield name, _short(one), _short(two)
    first, second = (lookup(record, "machine", "libraries") or {} for record in (before, now))
    for name in sorted({*first, *second}):
        if first.get(name) != second.get(name):
            yield name, _short(first.get(name)), _short(second.get(name))


def render(before: Record, now: Record) -> RenderableType:
    """Metrics that differ, costs, circumstances that differ, and what to make of it."""
    title = Text.assemble((labels([now])[0], "bold"), f"  {group([now])[0].title}  again: {now.get('run_id')}")
    if not succeeded(now):
        return Group(title, Text(f"The run ended as {now.get('status')!r}: {now.get('error')}", "bold red"))
    apart, measured = differences(before, now), sum(len(lookup(now, part) or {}) for part in ("metrics", "validation"))
    parts: list[RenderableType] = [title]
    if apart:
        shown = dict(list(apart.items())[:SHOWN])
        parts.append(_table(("metric", "before", "now", "difference"), _metrics(shown)))
        parts += [Text(f"and {len(apart) - SHOWN} more", "dim")] if len(apart) > SHOWN else []
    parts.append(_table(("cost", "before", "now", "ratio"), cost_lines(before, now, COSTS)))
    around = list(circumstances(before, now))
    if around:
        parts.append(_table(("not the same", "before", "now"), around))
    parts.append(_said(apart, measured, around))
    return Group(*parts)


def _said(apart: Mapping[str, Any], measured: int, around: list[tuple[str, str, str]]) -> Text:
    if not apart:
        return Text(f"All {measured} metrics are equal to the last digit.", "green")
    names = ", ".join(name for name, _, _ in around)
    cause = (
        f"What is not the same may be why: {names}."
        if names
        else "Around the runs everything is the same: its training is bounded by seconds, or draws from no generator."
    )
    return Text(f"{len(apart)} measurements differ. {cause}", "red")


def _metrics(apart: Mapping[str, tuple[float | None, float | None]]) -> Iterator[tuple[str, ...]]:
    for name, (one, two) in apart.items():
        gap = "" if one is None or two is None else f"{two - one:+.2g}"
        yield (
            name,
            wording.NOTHING if one is None else f"{one:.6f}",
            wording.NOTHING if two is None else f"{two:.6f}",
            gap,
        )


def _table(names: tuple[str, ...], lines: Any) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(names):
        table.add_column(name, justify="right" if at else "left")
    for line in lines:
        table.add_row(*line)
    return table


def _short(value: Any) -> str:
    if value in (None, [], ""):
        return wording.NOTHING
    text = str(value)
    return text[:12] if len(text) in (40, 64) else text
