"""How far a search goes: the paper's effort where the catalog is large enough for it, less where it is not."""

from __future__ import annotations

import math

from bench_index.beam import Effort
from bench_index.graph import Graph

WHOLE = 4_000  # items that may be scored from which on the upper beams have their full width


def fitted(graph: Graph, widths: tuple[int, ...], rounds: tuple[int, ...], share: float, step: int) -> Effort:
    """An Effort for `graph` that scores at most `share` of its items.

    The paper's widths and rounds would score most of a catalog of some thousands. Where the bound is below 4,000 items,
    the beams above the bottom are narrowed in proportion, so that the search starts at a layer that is a fraction of
    the bound. With `step` 0 one expansion brings in, at first sight, half of what is left to score at most: with few
    items to score, going on from the best is worth more than going broad. On a large catalog that is the whole beam.
    """
    limit = math.ceil(share * len(graph))
    narrow = min(1.0, limit / WHOLE)
    upper = tuple(max(1, round(width * narrow)) for width in widths[:-1])
    effort = Effort((*upper, widths[-1]), rounds, limit)
    if step == 0:
        links = max(1.0, float(graph.layers[0].lengths.mean())) if len(graph) else 1.0
        left = max(1, limit - len(graph.layers[effort.start(graph)]))
        step = max(1, round(left / (2 * links)))
    return Effort(effort.widths, rounds, limit, min(step, max(effort.widths)))
