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
from bench.report.columns import Column, Record, columns, lookup, main_k, measured, number
from bench.report.rows import is_bound

COSTS = ("p50", "load", "qps", "device_p50", "scored")
TITLES = {
    "p50": "median latency of a single request, ms",
    "load": "highest rate that holds, requests a second",
    "qps": "throughput in batches, requests a second",
    "device_p50": "median latency on the device, ms",
    "scored": "share of the items scored",
}
MORE = {"load", "qps"}  # more is better
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


def frontiers(entries: Sequence[Entry]) -> list[Chart]:
    """Recall against each cost that at least two rows have: points with intervals, the frontier as a line."""
    records = [entry.record for entry in entries]
    k = main_k(records)
    drawn = []
    for column in columns(records):
        if column.name not in COSTS:
            continue
        shown = [entry for entry in entries if column.value(entry.record) and not is_bound(entry.record)]
        spent = [column.value(entry.record) or 0.0 for entry in shown]
        if len(shown) > 1 and max(spent) > SPREAD * min(spent):
            drawn.append(_frontier(shown, column, k))
    return drawn


def _frontier(entries: Sequence[Entry], column: Column, k: int) -> Chart:
    recall = np.array([measured(entry.record, "metrics", f"recall@{k}") or np.nan for entry in entries])
    cost = np.array([column.value(entry.record) for entry in entries], np.float64)
    best = pareto_frontier(recall, -cost if column.name in MORE else cost)
    points = [
        {
            "method": entry.label,
            "line": entry.line,
            "recall": float(value),
            **_bounds(entry.record, f"recall@{k}", float(value)),
            "cost": float(spent),
            "shown": wording.proportion(float(value)),
            "costs": column.text(float(spent)),
            "run": entry.run,
            "href": entry.href,
            "on": bool(on),
        }
        for entry, value, spent, on in zip(entries, recall, cost, best, strict=True)
        if not np.isnan(value)
    ]
    data = altair.Data(values=points)  # type: ignore[no-untyped-call]
    x = altair.X("cost:Q", title=TITLES[column.name], scale=altair.Scale(type="log", nice=False, padding=20))
    y = altair.Y("recall:Q", title=f"recall@{k}", scale=altair.Scale(zero=False, padding=10))
    lines = len({entry.line for entry in entries})
    legend = altair.Legend(symbolOpacity=1) if 1 < lines <= LEGEND else None
    scheme = altair.Scale(scheme="tableau10" if lines <= 10 else "tableau20")
    colour = altair.Color("line:N", title=None, scale=scheme, sort=None, legend=legend)
    tooltip = [
        altair.Tooltip("method:N"),
        altair.Tooltip("shown:N", title=f"recall@{k}"),
        altair.Tooltip("low:Q", format=".3f", title="from"),
        altair.Tooltip("high:Q", format=".3f", title="to"),
        altair.Tooltip("costs:N", title=wording.one_line(column.header)),
        altair.Tooltip("run:N"),
    ]
    line = altair.Chart(data).transform_filter("datum.on").mark_line(opacity=0.5, strokeDash=[4, 3], color="#888")
    bars = altair.Chart(data).mark_rule(opacity=0.6).encode(x=x, y=altair.Y("low:Q"), y2="high:Q", color=colour)
    marks = altair.Chart(data).mark_point(size=90, filled=True, opacity=1)
    marks = marks.encode(
        x=x, y=y, color=colour, tooltip=tooltip, href="href:N",
        shape=altair.Shape("on:N", title=None, scale=altair.Scale(domain=[True, False], range=["circle", "cross"]),
                           legend=None),
    )  # fmt: skip
    leading = ", ".join(str(point["method"]) for point in points if point["on"])
    words = (
        f"{len(points)} rows; a cross is beaten by another row on both sides. Not beaten: {leading}. Bars are 95% "
        "intervals. A point leads to its run's record."
    )
    chart = altair.layer(line.encode(x=x, y=y, order="cost:Q"), bars, marks)
    return Chart(f"frontier-{column.name}", f"recall@{k} against {TITLES[column.name]}", words, _plain(chart))


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
            x=altair.X("share:Q", title=f"share of the targets in the first {k}", scale=altair.Scale(domain=[0, 1])),
            y=altair.Y(
                "method:N", title=None, sort=[entry.label for entry in scored], axis=altair.Axis(labelLimit=220)
            ),
            color=altair.Color(
                "part:N",
                title=None,
                sort=list(PARTS),
                scale=altair.Scale(domain=parts, range=[COLOURS[PARTS.index(part)] for part in parts]),
                legend=altair.Legend(orient="top", columns=2, labelLimit=240),
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
