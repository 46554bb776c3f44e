"""How far a search goes: the paper's effort where the catalog is large enough for it, less where it is not."""

from __future__ import annotations

import math
from dataclasses import replace

from bench_index.beam import Effort
from bench_index.graph import Graph

START = 1 / 3  # of the items that may be scored, at most, go into scoring the first layer
ROUNDS = 12  # a search makes at least about so many: a small one expands less at once


def fitted(
    graph: Graph, widths: tuple[int, ...], rounds: tuple[int, ...], share: float, quota: int, patience: int = 0
) -> Effort:
    """An Effort for `graph` that scores at most `share` of its items.

    The paper's search starts at the highest layer (of those that `widths` names) with as many nodes as its beam is
    wide. In a catalog of some thousands that is the bottom: all would be scored. There it starts at the largest layer
    that takes a third of the bound, with a beam of half the layer. Layers that `widths` does not name have its first
    number. A quota is at most a twelfth of the bound.
    """
    more = max(0, len(graph.layers) - len(widths))
    widths, rounds = (widths[0],) * more + widths, (rounds[0],) * (len(widths) + more - len(rounds)) + rounds
    limit = math.ceil(share * len(graph))
    quota = min(quota, max(1, limit // ROUNDS))
    effort = Effort(widths, rounds, limit, quota, patience=patience)
    sizes = graph.sizes[: len(widths)]
    if sizes[effort.start(graph)] <= START * limit or len(sizes) == 1:
        return effort
    start = next((level for level, size in enumerate(sizes) if size <= START * limit), len(sizes) - 1)
    place = len(widths) - 1 - start
    narrow = min(widths[place], max(1, sizes[start] // 2))
    return replace(effort, widths=(*widths[:place], narrow, *widths[place + 1 :]))
