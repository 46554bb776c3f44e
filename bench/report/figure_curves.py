"""Curves: one line a method or parameter, named at its end or in a coloured key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Page
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from bench.report import figure_words as words
from bench.report.figure_frontier import beaten
from bench.report.figure_points import Drawing, Facet, Point

# Okabe and Ito's seven colours, told apart by colour-blind readers too, then five darker and duller ones; the markers
# tell lines apart in print. There is one marker fewer than colours: only the 133rd line looks like the first.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
    "#882255", "#8C6D31", "#7A68C8", "#7F7F7F", "#5C8A00",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
DASHES = ("-", "--", ":", "-.")  # the last measurement of a panel is drawn through
GREY = "#444444"
KEY_SIZE = 8.5
# Ticks of a decade on a logarithmic axis that spans more than so many decades.
SUBS = ((2.5, (1,)), (1.6, (1, 3)), (0.7, (1, 2, 5)), (-1.0, (1, 2, 3, 4, 5, 7)))


def curve(axes: Axes, drawing: Drawing, facet: Facet, panel: Sequence[str], *, named: bool) -> None:
    """Draw one panel; named: whether lines bear their names at their right ends."""
    figure, lines = drawing.figure, drawing.lines
    axes.grid(visible=True)
    finals = []
    hollow = beaten(facet.points, figure.x, panel[-1])
    for line in [line for line in lines if any(point.line == line for point in facet.points)]:
        own = [at for at, point in enumerate(facet.points) if point.line == line]
        own.sort(key=lambda at: facet.points[at].x or 0.0)
        points = [facet.points[at] for at in own]
        lost = [point for at, point in zip(own, points, strict=True) if hollow[at] and panel[-1] in point.values]
        for measurement, dash in zip(panel, [*DASHES[1 : len(panel)], DASHES[0]], strict=True):
            final = _line(axes, points, measurement, lines.index(line), dash, _alpha(len(lines)))
            if final is not None and measurement == panel[-1]:
                finals.append((line, *final))
                _hollow(axes, lost, measurement, lines.index(line))
    _axis(axes, "x", [figure.x], figure.x in figure.log)
    _axis(axes, "y", panel, panel[0] in figure.log)
    *others, said = words.names(panel)
    if others:
        said += f" (dashed: {', '.join(others)})"
    axes.annotate(said, (0, 1), xytext=(0, 8), xycoords="axes fraction", textcoords="offset points", color=GREY, size=8)
    axes.set_xlabel(words.axis(figure.x), color=GREY, size=8)
    if named:
        _name(axes, finals, lines)


def key_rows(lines: Sequence[str], inches: float) -> list[list[tuple[str, float]]]:
    """The lines' names in as many rows as fit into so many inches, each with where it begins, in inches."""
    font = FontProperties(weight="bold", size=KEY_SIZE)
    rows: list[list[tuple[str, float]]] = [[]]
    left = 0.0
    for line in lines:
        width = 0.15 + float(TextPath((0, 0), line, prop=font).get_extents().width) / 72
        if rows[-1] and left + width > inches:
            rows.append([])
            left = 0.0
        rows[-1].append((line, left))
        left += width + 0.22
    return rows


def key(page: Page, rows: Sequence[Sequence[tuple[str, float]]], left: float, top: float, step: float) -> None:
    """The names of `key_rows` in their colours; left, top: of the first, in inches; step: between rows."""
    wide, high = page.get_size_inches()
    named = [(row, name, place) for row, names in enumerate(rows) for name, place in names]
    for at, (row, name, place) in enumerate(named):
        colour, y = COLOURS[at % len(COLOURS)], 1 - (top + row * step) / high
        x = (left + place) / wide
        dot = Line2D([x + 0.05 / wide], [y], color=colour, marker=MARKERS[at % len(MARKERS)], markersize=5)
        dot.set_transform(page.transFigure)
        page.add_artist(dot)
        page.text(x + 0.15 / wide, y, name, color=colour, weight="bold", va="center_baseline", size=KEY_SIZE)


def _line(
    axes: Axes, points: Sequence[Point], measurement: str, at: int, dash: str, alpha: float
) -> tuple[float, float] | None:
    """Draw one line with its band; returns its right end."""
    known = [(point.x, point.values[measurement]) for point in points if measurement in point.values]
    if not known:
        return None
    colour = COLOURS[at % len(COLOURS)]
    x = np.array([place for place, _ in known], np.float64)
    y = np.array([found.value for _, found in known])
    low = np.array([found.value if found.low is None else found.low for _, found in known])
    high = np.array([found.value if found.high is None else found.high for _, found in known])
    marker = MARKERS[at % len(MARKERS)]
    axes.plot(x, y, dash, color=colour, marker=marker, markersize=3.8, linewidth=1.5, clip_on=False)
    if len(known) > 1 and dash == DASHES[0]:
        axes.fill_between(x, low, high, color=colour, alpha=alpha, linewidth=0)
    elif len(known) == 1:
        axes.errorbar(x, y, [np.fmax(0, y - low), np.fmax(0, high - y)], color=colour, capsize=2, linewidth=1)
    return float(x[-1]), float(y[-1])


def _hollow(axes: Axes, points: Sequence[Point], measurement: str, at: int) -> None:
    """Mark points that others beat."""
    axes.plot(
        [point.x or 0.0 for point in points],
        [point.values[measurement].value for point in points],
        color=COLOURS[at % len(COLOURS)],
        marker=MARKERS[at % len(MARKERS)],
        markersize=3.8,
        markerfacecolor="white",
        markeredgewidth=0.9,
        linestyle="",
        clip_on=False,
        zorder=3,
    )


def _alpha(lines: int) -> float:
    """How opaque a band is: many of them must leave the lines readable."""
    return 0.12 if lines < 3 else 0.08 if lines < 5 else 0.05


def _axis(axes: Axes, which: str, measurements: Sequence[str], log: bool) -> None:
    """Scale, end, ticks and their wording."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    low, high = sorted(axes.get_xlim() if which == "x" else axes.get_ylim())
    high = min(high, words.end(measurements, axes.dataLim.xmax if which == "x" else axes.dataLim.ymax))
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    if log:
        decades = np.log10(high / low) if low > 0 else 1.0
        subs = next(subs for most, subs in SUBS if decades > most)
        axis.set_major_locator(LogLocator(subs=subs, numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
    else:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: words.tick(measurements[0], value)))


def _name(axes: Axes, finals: Sequence[tuple[str, float, float]], lines: Sequence[str]) -> None:
    """Each line's name right of the panel at the height of its end, moved apart where names would meet."""
    box = axes.get_window_extent()
    inch = axes.get_figure().dpi  # type: ignore[union-attr]
    gap = 0.15 * inch / box.height
    ordered = sorted(finals, key=lambda final: final[2])
    heights = [axes.transLimits.transform(axes.transScale.transform((x, y))) for _, x, y in ordered]
    places: list[float] = []
    for _, height in heights:
        places.append(max(float(height), places[-1] + gap) if places else float(height))
    over = places[-1] - max(1.0, float(heights[-1][1])) if places else 0.0
    for at in reversed(range(len(places))):  # push back down what was pushed out above
        ceiling = places[at + 1] - gap if at + 1 < len(places) else places[at] - max(0.0, over)
        places[at] = min(places[at], ceiling)
    for (line, *_), place, (across, height) in zip(ordered, places, heights, strict=True):
        colour = COLOURS[lines.index(line) % len(COLOURS)]
        axes.text(1.045, place, line, transform=axes.transAxes, color=colour, va="center", size=8, weight="bold")
        if across < 0.94 or abs(place - height) > gap / 2:
            axes.plot(
                [across, 1.03], [height, place], transform=axes.transAxes, color=colour, linewidth=0.7, linestyle=":",
                clip_on=False,
            )  # fmt: skip
