"""What a suite's figure shows. The `[figure]` table of a suite:

    [figure]
    kind = "curve"                        # or "bars"
    x = "work.share"                      # of a curve
    y = ["oracle.coverage@200", ["oracle@200", "recall@200"]]   # one panel each; a list shares its panel
    line = "label"                        # what makes a line or a bar: "label" of the method, "task", "method",
                                          # "params.epsilon", or a list of them; left out: "label"
    facet = "dataset"                     # a panel for each data set; "none": all in one
    log = ["work.share"]                  # measurements on a logarithmic axis
    new_in = "live"                       # groups "/new": the items that training of this task did not know

A measurement is a metric of the test part ("recall@50", "recall@50/new"), one of the exact answers' ("oracle@50" is
their recall, "index_loss@50"), any path into the record ("oracle.coverage@50", "latency_ms.p50", "task.items",
"phases.index.seconds"), "milestone.largest path" (what the method told last under that name), "memory" (bytes, the
largest phase) or "seconds" (of the phases that the task names).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import UnknownName, UsageError
from bench.report.figure_names import Known

KEYS = ("kind", "x", "y", "line", "facet", "log", "new_in", "title")
KINDS = ("curve", "bars")
FACETS = ("dataset", "none")
LINES = ("label", "task", "method")


@dataclass(frozen=True, slots=True)
class Figure:
    """See the module. y: the measurements of each panel; title: "" for the suite's."""

    kind: str
    y: tuple[tuple[str, ...], ...]
    x: str = ""
    line: tuple[str, ...] = ("label",)
    facet: str = "dataset"
    log: frozenset[str] = frozenset()
    new_in: str = ""
    title: str = ""


def read_figure(said: Mapping[str, Any], known: Known) -> Figure:
    """The figure that a `[figure]` table asks for; raises UsageError for what is not `known`."""
    where = known.where
    for key in said:
        if key not in KEYS:
            raise UnknownName(f"key in [figure] of {where}", key, KEYS)
    kind, facet = said.get("kind", "curve"), said.get("facet", "dataset")
    if kind not in KINDS:
        raise UnknownName(f"kind in [figure] of {where}", str(kind), KINDS)
    if facet not in FACETS:
        raise UnknownName(f"facet in [figure] of {where}", str(facet), FACETS)
    panels = said.get("y")
    if not isinstance(panels, list) or not panels:
        raise UsageError(f'{where}: [figure] needs y = ["recall@50"], the measurements that it shows')
    x = said.get("x", "")
    if (kind == "curve") != bool(x):
        raise UsageError(f'{where}: [figure] of kind "curve" needs x, and one of kind "bars" has none')
    figure = Figure(
        kind=kind,
        y=tuple(_texts(panel, "y", where) for panel in panels),
        x=_texts(x, "x", where)[0] if x else "",
        line=_texts(said.get("line", "label"), "line", where),
        facet=facet,
        log=frozenset(_texts(said.get("log", []), "log", where)),
        new_in=_texts(said.get("new_in", ""), "new_in", where)[0],
        title=_texts(said.get("title", ""), "title", where)[0],
    )
    shown = [name for panel in figure.y for name in panel]
    for key, names in (("x", [figure.x] if figure.x else []), ("y", shown)):
        for name in names:
            known.check(name, key)
    for name in figure.line:
        if name not in LINES:
            known.check(name, "line", LINES)
    if figure.new_in and figure.new_in not in known.tasks:
        raise UnknownName(f"task in new_in of [figure] of {where}", figure.new_in, known.tasks)
    for name in sorted(figure.log):
        if name not in (figure.x, *shown):
            raise UnknownName(f"measurement in log of [figure] of {where}", name, {figure.x, *shown} - {""})
    return figure


def _texts(said: Any, key: str, where: str) -> tuple[str, ...]:
    """A text or a list of texts."""
    texts = said if isinstance(said, list) else [said]
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(f"{where}: {key} = {said!r} of [figure] should hold texts alone")
    return tuple(texts)
