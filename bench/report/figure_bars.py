"""Bars: one group a method or parameter, one bar a measurement, from zero."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.report import figure_words as words
from bench.report.figure_points import Drawing, Facet

COLOURS = {1: ("#0072B2",), 2: ("#A6CBE3", "#0072B2"), 3: ("#A6CBE3", "#0072B2", "#E69F00")}
BAR, SPACE = 0.17, 0.13  # inches
GREY = "#444444"


def bars_height(drawing: Drawing) -> float:
    """Inches that a panel of this drawing needs."""
    return len(drawing.lines) * (max(map(len, drawing.figure.y)) * BAR + SPACE) + 0.1


def bars(axes: Axes, drawing: Drawing, facet: Facet, panel: Sequence[str], *, named: bool) -> None:
    """Draw one panel; named: whether it stands leftmost and names the bars."""
    lines, count = drawing.lines, len(panel)
    colours = COLOURS[min(count, 3)]
    step = count * BAR + SPACE
    ends = [0.0]
    for point in facet.points:
        for at, measurement in enumerate(panel):
            found = point.values.get(measurement)
            if found is None:
                continue
            place = -lines.index(point.line) * step - at * BAR
            axes.barh(place, found.value, height=BAR * 0.92, align="edge", color=colours[at % 3], linewidth=0)
            end = found.value
            if found.low is not None and found.high is not None:
                span = [[max(0.0, found.value - found.low)], [max(0.0, found.high - found.value)]]
                axes.errorbar(
                    found.value,
                    place + BAR * 0.46,
                    xerr=span,
                    color="#222222",
                    capsize=1.8,
                    linewidth=0.8,
                    capthick=0.8,
                )
                end = max(found.high, found.value)
            if found.each:
                axes.plot(found.each, [place + BAR * 0.46] * len(found.each), "o", color="#222222", markersize=1.8)
                end = max(end, *found.each)
            ends.append(min(0.0, found.low or 0.0, found.value))
            ends.append(end)
            axes.annotate(
                words.number(measurement, found.value), (max(end, 0.0), place + BAR * 0.46), xytext=(4, 0),
                textcoords="offset points", va="center", size=7.5, color=GREY,
            )  # fmt: skip
    least, most = min(ends), max(ends)
    axes.set_xlim(least * 1.08, most + 0.34 * ((most - least) or 1.0))  # room for the numbers
    axes.set_ylim(-(len(lines) - 1) * step - (count - 1) * BAR - SPACE / 2, BAR + SPACE / 2)
    middles = [-at * step - (count - 1) * BAR / 2 + BAR * 0.46 for at in range(len(lines))]
    axes.set_yticks(middles, lines if named else [""] * len(lines))
    axes.tick_params(axis="y", length=0, labelcolor="#222222", labelsize=8.5)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.grid(visible=True, axis="x")
    low, high = axes.get_xlim()
    last = min(high, words.end(panel, most))  # the room for the numbers has no ticks beyond
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
    axes.set_xticks([tick for tick in map(float, ticks) if low <= tick < last + 1e-9])
    axes.spines["bottom"].set_bounds(low, last)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.tick(panel[0], value)))
    _title(axes, panel, colours)


def _title(axes: Axes, panel: Sequence[str], colours: Sequence[str]) -> None:
    """The measurements' names, each beside a patch of its colour where there are several."""
    if len(panel) == 1:
        axes.annotate(
            words.axis(panel[0]),
            (0, 1),
            xytext=(0, 8),
            xycoords="axes fraction",
            textcoords="offset points",
            color=GREY,
        )
        return
    place = 0.0
    for at, name in enumerate(words.names(panel)):
        box = {"boxstyle": "square,pad=0.0", "fc": colours[at % 3], "ec": "none"}
        axes.annotate(
            "    ", (0, 1), xytext=(place, 8), xycoords="axes fraction", textcoords="offset points", bbox=box, size=7
        )
        text = axes.annotate(
            name, (0, 1), xytext=(place + 13, 8), xycoords="axes fraction",
            textcoords="offset points", color=GREY, size=8,
        )  # fmt: skip
        figure = axes.get_figure()
        assert figure is not None
        place += 13 + text.get_window_extent().width / figure.dpi * 72 + 10
