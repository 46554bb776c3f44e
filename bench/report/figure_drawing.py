"""Figures with matplotlib: pages of panels, written as SVG and PNG."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Page

from bench.report import figure_words as words
from bench.report.figure_bars import bars, bars_height
from bench.report.figure_curves import curve, key, key_rows
from bench.report.figure_points import Drawing

WIDTH, DPI = 8.0, 200  # inches, and dots an inch: 1,600 dots, shown at 800
CURVE_HEIGHT = 2.15
LEFT, RIGHT, ENDS = 0.62, 0.2, 0.95  # inches beside the panels; ENDS where lines are named at their ends
TOP, BETWEEN, BELOW, FOOT = 0.46, 0.32, 0.5, 0.34
LINE, LETTERS = 0.16, 126  # inches a line of the foot, and letters on one
EDGE, KEY_ROW = 0.12, 0.22  # inches left of texts, and between rows of the key
HEADER = 0.3  # of a row of panels that names its data set
STYLE: Mapping[Any, Any] = {
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.7,
    "svg.fonttype": "none",
    "svg.hashsalt": "bench",
    "text.parse_math": False,
}
GREY = "#666666"


def write(drawing: Drawing, stem: Path) -> list[Path]:
    """Draw into `stem`.svg and `stem`.png; the same numbers give the same bytes."""
    with matplotlib.rc_context(dict(STYLE)):
        whole = page(drawing)
        svg, png = stem.with_suffix(".svg"), stem.with_suffix(".png")
        whole.savefig(svg, format="svg", metadata={"Date": None, "Creator": None})
        whole.savefig(png, format="png", dpi=DPI, metadata={"Software": None})
    return [svg, png]


def page(drawing: Drawing) -> Page:
    """All panels on one page, with title and caption."""
    figure = drawing.figure
    columns = _columns(len(drawing.facets), len(figure.y))
    fill = -len(figure.y) % columns if len(figure.y) > 1 and len(drawing.facets) > 1 else 0  # a data set begins a row
    cells = [(facet, panel) for facet in drawing.facets for panel in (*figure.y, *[None] * fill)]
    rows = -(-len(cells) // columns)
    is_curve = figure.kind == "curve"
    named = is_curve and len(drawing.lines) > 1
    ends = named and columns <= 2 and len(drawing.lines) <= 7
    keyed = named and not ends
    names = 0.0 if is_curve else 0.075 * max(map(len, drawing.lines)) + 0.15
    height = CURVE_HEIGHT if is_curve else bars_height(drawing)
    key_lines = key_rows(drawing.lines, WIDTH - 2 * EDGE) if keyed else []
    top = TOP + KEY_ROW * len(key_lines) + 0.26 + HEADER * (len(drawing.facets) > 1)
    below = BELOW if is_curve else 0.25
    between = below + BETWEEN + HEADER * (len(drawing.facets) > 1)
    gaps, said = words.gaps(drawing), textwrap.wrap(words.caption(drawing), LETTERS)
    foot = FOOT + LINE * (len(said) - 1 + bool(gaps))
    total = top + rows * height + (rows - 1) * between + below + foot
    whole = Page(figsize=(WIDTH, total))
    FigureCanvasAgg(whole)
    left = LEFT if is_curve else max(LEFT, names)
    longest = max(map(len, drawing.lines), default=0)
    beside = max(ENDS, 0.063 * longest + 0.15) if ends else 0.0  # inches for the names at the lines' ends
    gutter = (LEFT if is_curve else 0.35) + beside
    room = WIDTH - left - (columns - 1) * gutter - RIGHT - beside
    width = room / columns
    for at, (facet, panel) in enumerate(cells):
        if panel is None:
            continue
        row, column = divmod(at, columns)
        bottom = total - top - (row + 1) * height - row * between
        axes = whole.add_axes((
            (left + column * (width + gutter)) / WIDTH, bottom / total, width / WIDTH, height / total,
        ))  # fmt: skip
        if len(drawing.facets) > 1 and (len(figure.y) == 1 or panel is figure.y[0]):
            brief = columns == 3 and len(figure.y) == 1
            facts = words.facts([record for point in facet.points for record in point.records], brief=brief)
            _above(axes, facet.title, 32, weight="bold")
            _above(axes, facts, 21, size=7.5, color=GREY)
        if is_curve:
            curve(axes, drawing, facet, panel, named=ends)
        else:
            bars(axes, drawing, facet, panel, named=column == 0)
    whole.text(EDGE / WIDTH, 1 - 0.14 / total, drawing.title, size=11, weight="bold", va="top")
    if keyed:
        key(whole, key_lines, EDGE, 0.42, KEY_ROW)
    for at, line in enumerate(reversed(said)):
        whole.text(EDGE / WIDTH, (0.1 + LINE * at) / total, line, size=7.5, color=GREY, va="bottom")
    if gaps:
        above = 0.1 + LINE * len(said)
        whole.text(EDGE / WIDTH, above / total, f"Not complete: {gaps}", size=7.5, color="#a33b00", va="bottom")
    return whole


def _above(axes: Axes, text: str, points: float, **look: Any) -> None:
    """Write above a panel, so many points from its edge."""
    axes.annotate(text, (0, 1), xytext=(0, points), xycoords="axes fraction", textcoords="offset points", **look)


def _columns(facets: int, panels: int) -> int:
    """Panels beside one another: data sets below each other, their measurements side by side."""
    cells = panels if facets == 1 else facets if panels == 1 else 0
    cells = cells or panels
    return 2 if cells == 4 else min(cells, 3)
