"""A size that was not run, as a person reads it: what was measured, what follows, and what that takes for granted."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.forecast.curves import Projection
from bench.forecast.projection import FULL, MEASURES, Asked, Machines, machines, projected
from bench.prices import Prices
from bench.report import wording
from bench.report.columns import Record, lookup
from bench.report.rows import labels

Ends = tuple[Machines, Machines, Machines]


def render(runs: Sequence[Record], asked: Asked, prices: Prices | None) -> RenderableType:
    """The measurements and their projections, the machines, and the assumptions; raises UsageError as `machines`."""
    ends: Ends = (
        machines(runs, asked, prices, lambda one: one.low),
        machines(runs, asked, prices, lambda one: one.value),
        machines(runs, asked, prices, lambda one: one.high),
    )
    title = Text.assemble(
        (labels(runs[-1:])[0], "bold"),
        f"  {asked.items:,.0f} items, {asked.interactions:,.0f} interactions, {asked.requests_per_second:,g} req/s",
    )
    said = [Text(f"· {line}", "dim") for line in assumptions(runs, asked)]
    return Group(title, _measured(runs, asked), _machines(ends, asked, prices), *said)


def assumptions(runs: Sequence[Record], asked: Asked) -> list[str]:
    """What the projection takes for granted."""
    sizes = [int(one["task"]["items"]) for one in runs]
    beyond = asked.items / max(sizes)
    steps = "two sizes, so nothing tells how it bends" if len(set(sizes)) == 2 else f"{len(set(sizes))} sizes"
    found = [
        f"Growth is read off {steps}, {min(sizes):,} to {max(sizes):,} items, and carried on to {beyond:,.1f} times as "
        f"many.",
        "Miss: how far the curve through the smaller sizes is off at the largest measured one. A range holds all "
        "curves that miss it little more.",
        "Users, histories and the share of new items are as in the runs, and so is the recall that the settings give: "
        "more items with the same settings are usually found less well.",
        f"A machine has {asked.cores} cores of the measured kind and {wording.size(asked.memory_bytes)}, of which a "
        f"server takes up to {FULL:.0%}; {asked.used:.0%} of its cores are busy, as evenly as in batches. Requests ask "
        "every part of a split catalog; what merging and the network take is not counted.",
    ]
    seconds = lookup(runs[-1], "method", "params", "seconds")
    if seconds:
        found.append(f"Training is bounded by {seconds:g} s in these runs, and so is its projection.")
    return found


def _measured(runs: Sequence[Record], asked: Asked) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    shown = sorted({int(one["task"]["items"]) for one in runs})
    heads = ["", *(f"{size:,}" for size in shown), "projected", "from", "to", "growth", "miss"]
    for head in heads:
        table.add_column(head, justify="left" if head in ("", "growth") else "right")
    for measure in MEASURES:
        at = asked.items if measure.by == "items" else asked.interactions
        found = projected(measure, runs, at)
        if found is None:
            continue
        cells = []
        for size in shown:
            known = [value for one in runs if int(one["task"]["items"]) == size and (value := measure.of(one))]
            cells.append(measure.text(sum(known) / len(known) if known else None))
        table.add_row(
            measure.name,
            *cells,
            *(measure.text(value) for value in (found.value, found.low, found.high)),
            found.curve,
            _miss(found),
        )
    return table


def _miss(found: Projection) -> str:
    return wording.NOTHING if found.miss is None else f"{round(found.miss, 2) + 0:+.0%}"


def _machines(ends: Ends, asked: Asked, prices: Prices | None) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for head in ("to serve", "likely", "from", "to"):
        table.add_column(head, justify="left" if head == "to serve" else "right")
    low, likely, high = ends
    lines: list[tuple[str, list[str]]] = [
        ("parts of the catalog", [f"{one.shards:,}" for one in (likely, low, high)]),
        ("machines a part", [f"{one.replicas:,}" for one in (likely, low, high)]),
        ("machines", [f"{one.count:,}" for one in (likely, low, high)]),
        ("cores", [f"{one.count * asked.cores:,}" for one in (likely, low, high)]),
    ]
    if prices is not None and likely.month is not None:
        lines.append((f"{prices.currency} a month", [f"{one.month or 0:,.0f}" for one in (likely, low, high)]))
    for name, cells in lines:
        table.add_row(name, *cells)
    return table
