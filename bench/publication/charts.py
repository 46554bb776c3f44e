"""A page's charts, as Vega-Lite: quality against cost, and where the loss is. Interactive on the page, still as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair
import numpy as np

from bench.analysis.frontier import pareto_frontier
from bench.metrics.groups import HISTORY_GROUPS, POPULARITY_GROUPS
from bench.publication.entries import Entry
from bench.report import wording
from bench.report.axes import Axis, axes
from bench.report.columns import Record, lookup, main_k, measured, number
from bench.report.cost import Bill
from bench.report.rows import is_bound

PARTS = ("found, by popularity alone too", "found", "lost by the index", "not known to the model")
COLOURS = ("#7f8da1", "#2f7ed8", "#e4793a", "#8a949e55")
SPREAD = 1.2  # a cost that varies less is not drawn
LEGEND = 20  # the most lines of a legend
GROUPS = (*POPULARITY_GROUPS, "fresh", *HISTORY_GROUPS)


@dataclass(frozen=True, slots=True)
class Chart:
    """name: of its files; title, words: what stands above and what a reader who does not see it is told; spec: as
    Vega-Lite without a size."""

    name: str
    title: str
    words: str
    spec: dict[str, Any]


def frontiers(entries: Sequence[Entry], bill: Bill | None = None) -> list[Chart]:
    """Recall against each cost that at least two rows have: each method's settings with the band of their intervals,
    those that another row beats hollow. What beats what is told by the validation part where every row has it."""
    records = [entry.record for entry in entries]
    k = main_k(records)
    lines = list(dict.fromkeys(entry.line for entry in entries if not is_bound(entry.record)))
    drawn = []
    for axis in axes(records, bill):
        shown = [entry for entry in entries if axis.value(entry.record) and not is_bound(entry.record)]
        spent = [axis.spent(entry.record) or 0.0 for entry in shown]
        if len(shown) > 1 and max(spent) > SPREAD * min(spent):
            drawn.append(_frontier(shown, axis, k, lines))
    return drawn


def _frontier(entries: Sequence[Entry], axis: Axis, k: int, lines: Sequence[str]) -> Chart:
    """lines: of all charts, so that each has the same colour in all."""
    name = f"recall@{k}"
    entries = [entry for entry in entries if measured(entry.record, "metrics", name) is not None]
    recall = np.array([measured(entry.record, "metrics", name) for entry in entries], np.float64)
    told = np.array([measured(entry.record, "validation", name) for entry in entries], np.float64)
    chosen = recall if np.isnan(told).any() else told
    cost = np.array([axis.spent(entry.record) for entry in entries], np.float64)
    best = pareto_frontier(chosen, cost)
    paying = np.zeros(len(entries), np.bool_)  # on the frontier of their own method
    for line in {entry.line for entry in entries}:
        own = np.flatnonzero([entry.line == line for entry in entries])
        paying[own] = pareto_frontier(chosen[own], cost[own])
    points = [
        {
            "method": entry.label,
            "line": entry.line,
            "recall": float(value),
            **_bounds(entry.record, name, float(value)),
            "cost": axis.value(entry.record),
            "shown": wording.proportion(float(value)),
            "costs": axis.told(float(spent)),
            "run": entry.run,
            "href": entry.href,
            "on": bool(on),
            "pays": bool(pays),
        }
        for entry, value, spent, on, pays in zip(entries, recall, cost, best, paying, strict=True)
    ]
    data = altair.Data(values=points)  # type: ignore[no-untyped-call]
    x = altair.X("cost:Q", title=axis.title, scale=altair.Scale(type="log", nice=False, padding=20))
    y = altair.Y("recall:Q", title=name, scale=altair.Scale(zero=False, padding=10))
    here = [line for line in lines if any(entry.line == line for entry in entries)]
    legend = altair.Legend(symbolOpacity=1, values=here) if 1 < len(here) <= LEGEND else None
    scheme = altair.Scale(scheme="tableau10" if len(lines) <= 10 else "tableau20", domain=list(lines))
    colour = altair.Color("line:N", title=None, scale=scheme, legend=legend)
    tooltip = [
        altair.Tooltip("method:N"),
        altair.Tooltip("shown:N", title=name),
        altair.Tooltip("low:Q", format=".3f", title="from"),
        altair.Tooltip("high:Q", format=".3f", title="to"),
        altair.Tooltip("costs:N", title="at"),
        altair.Tooltip("run:N"),
    ]
    along = altair.Chart(data).transform_filter("datum.pays")
    band = along.mark_area(opacity=0.15).encode(x=x, y=altair.Y("low:Q", title=name), y2="high:Q", color=colour)
    line_ = along.mark_line(opacity=0.7).encode(x=x, y=y, color=colour, order="cost:Q")
    bars = altair.Chart(data).mark_rule(opacity=0.4).encode(x=x, y=altair.Y("low:Q"), y2="high:Q", color=colour)
    marks = altair.Chart(data).mark_point(size=70, opacity=1, strokeWidth=1.8).encode(
        x=x, y=y, color=colour, tooltip=tooltip, href="href:N",
        fillOpacity=altair.condition("datum.on", altair.value(1), altair.value(0)),
        fill=altair.Fill("line:N", scale=scheme, legend=None),
    )  # fmt: skip
    leading = ", ".join(str(point["method"]) for point in points if point["on"])
    by = "on the validation part" if chosen is told else "on the test part, as not every run has a validation part"
    words = (
        f"{len(points)} rows. Hollow: another row is better on both sides, {by}. Not beaten: {leading}. A line joins "
        "the settings of a method that pay; bars and bands are 95% bootstrap intervals of the test part's recall over "
        "requests. A point leads to its run's record."
    )
    chart = altair.layer(band, line_, bars, marks)
    return Chart(f"frontier-{axis.name}", f"{name} against {axis.title}", words, _plain(chart))


def _bounds(record: Record, name: str, value: float) -> dict[str, float]:
    found = [number(lookup(record, "metrics", name, end)) for end in ("low", "high")]
    low, high = (value if end is None else end for end in found)
    return {"low": low, "high": high}


def losses(entries: Sequence[Entry]) -> list[Chart]:
    """What each method with a scorer finds, loses in its index and does not know, of all targets and of groups."""
    records = [entry.record for entry in entries]
    k = main_k(records)
    floors = [entry.record for entry in entries if lookup(entry.record, "method", "name") == "popularity"]
    bounds = [entry.record for entry in entries if is_bound(entry.record)]
    scored = [entry for entry in entries if measured(entry.record, "oracle", f"recall@{k}") is not None]
    scored = [entry for entry in scored if not is_bound(entry.record) and entry.record not in floors]
    values: list[dict[str, Any]] = []
    there: list[str] = []
    for group in ("", *GROUPS):
        name = f"recall@{k}" + (f"/{group}" if group else "")
        floor = max((measured(record, "metrics", name) or 0.0 for record in floors), default=0.0)
        bound = max((measured(record, "metrics", name) or 0.0 for record in bounds), default=1.0) or 1.0
        found = [row for entry in scored for row in _parts(entry, name, group or "all targets", floor, bound)]
        if found:
            there.append(group or "all targets")
            values += found
    if not values:
        return []
    parts = [part for part in PARTS if floors or part != PARTS[0]]
    chosen = altair.param(name="of", value="all targets", bind=altair.binding_select(options=there, name="of: "))
    chart = (
        altair.Chart(altair.Data(values=values))  # type: ignore[no-untyped-call]
        .add_params(chosen)
        .transform_filter("datum.group == of")
        .mark_bar()
        .encode(
            x=altair.X("share:Q", title=f"share of targets, first {k}", scale=altair.Scale(domain=[0, 1])),
            y=altair.Y("method:N", title=None, sort=[entry.label for entry in scored], axis=altair.Axis()),
            color=altair.Color(
                "part:N",
                title=None,
                sort=list(PARTS),
                scale=altair.Scale(domain=parts, range=[COLOURS[PARTS.index(part)] for part in parts]),
                legend=altair.Legend(orient="top", direction="vertical", columns=1),
            ),
            order=altair.Order("at:Q"),
            tooltip=["method:N", "part:N", altair.Tooltip("share:Q", format=".3f"), "run:N"],
            href="href:N",
        )
    )
    limit = "what the simulator's true preferences would find" if bounds else "all targets"
    words = (
        f"Of each method with a scorer: what is found{' (as much as popularity finds, and beyond)' if floors else ''}, "
        f"what the index loses of what the scorer would find over all items, and what is left of {limit}."
    )
    return [Chart("loss", f"Where the loss is: recall@{k}", words, _plain(chart))]


def _parts(entry: Entry, name: str, group: str, floor: float, bound: float) -> list[dict[str, Any]]:
    """The stacked parts of one method and group; a loss below nothing counts as nothing."""
    oracle = measured(entry.record, "oracle", name)
    found = measured(entry.record, "oracle", name.replace("recall", "answer_recall"))
    found = measured(entry.record, "metrics", name) if found is None else found
    if found is None or oracle is None:
        return []
    sizes = (min(found, floor), max(found - floor, 0.0), max(oracle - found, 0.0), max(bound - max(oracle, found), 0.0))
    said = {"method": entry.label, "group": group, "run": entry.run, "href": entry.href}
    return [
        {**said, "part": part, "share": size, "at": at}
        for at, (part, size) in enumerate(zip(PARTS, sizes, strict=True))
        if size > 0
    ]


def _plain(chart: Any) -> dict[str, Any]:
    """The specification, without a size or a style of its own."""
    spec: dict[str, Any] = chart.to_dict(validate=True)
    spec.pop("config", None)
    return spec
