"""The search of `beam.py` in torch alone, so that on an accelerator graph, sets and scores never leave the device.

The same rounds with the same answers: what is one pass over the links there is sorting, running sums and scattering
here. A visited set is one byte a node. A round reads back a few numbers: how much it found.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Ragged
from bench_index.beam import ROOM, Effort
from bench_index.graph import Graph
from bench_index.walk import WIDEN


class DeviceScorer(Protocol):
    """Scores nodes of the graph for a fixed batch of B requests, in tensors on one device; higher is better."""

    def block(self, start: int, stop: int) -> Tensor:
        """The scores float32 (B, stop - start) of the nodes start .. stop - 1 for every request."""

    def pairs(self, nodes: Tensor) -> Tensor:
        """The scores float32 (B, C) of each request's own nodes int64 (B, C)."""


@dataclass(frozen=True, slots=True)
class DeviceGraph:
    """A Graph as tensors: items int64 (N,); of each layer, offsets int64, links int32 and its largest degree."""

    items: Tensor
    offsets: tuple[Tensor, ...]
    links: tuple[Tensor, ...]
    degrees: tuple[int, ...]

    @classmethod
    def of(cls, graph: Graph, device: str) -> Self:
        def there(array: NDArray[np.generic]) -> Tensor:
            return torch.from_numpy(np.array(array)).to(device)

        return cls(
            there(graph.items).long(),
            tuple(there(layer.offsets) for layer in graph.layers),
            tuple(there(layer.values) for layer in graph.layers),
            tuple(int(layer.lengths.max(initial=0)) for layer in graph.layers),
        )

    def __len__(self) -> int:
        return len(self.items)


@torch.inference_mode()
def device_search(
    graph: Graph,
    on_device: DeviceGraph,
    scorer: DeviceScorer,
    effort: Effort,
    k: int,
    exclude: Ragged,
    entries: Tensor | None = None,
) -> Answer:
    """As `beam.search`; on_device: `graph` as tensors, made once; entries int64 (B, E), negative for none."""
    walk = _Walk(on_device, scorer, effort, k, exclude)
    if entries is not None:
        start = 0
        walk.score_entries(entries)
    else:
        start = effort.start(graph)
        walk.score_layer(min(len(graph.layers[start]), effort.limit or len(graph)), effort.width(start))
    for level in range(start, -1, -1):
        walk.layer(level)
    ids, scores = walk.top()
    while len(graph) and walk.widen(ids):
        ids, scores = walk.top()
    return Answer(ids.int().cpu().numpy(), scores.cpu().numpy(), walk.work.int().cpu().numpy())


class _Walk:
    """The state of one search. N stands for no node, and sorts after all others."""

    def __init__(self, graph: DeviceGraph, scorer: DeviceScorer, effort: Effort, k: int, exclude: Ragged) -> None:
        batch, width, device = len(exclude), max(effort.widths), graph.items.device
        self.graph, self.scorer, self.effort, self.k, self.device = graph, scorer, effort, k, device
        self.none = len(graph)
        self.visited = torch.zeros(batch, self.none + 1, dtype=torch.bool, device=device)
        room = np.maximum(effort.limit or len(graph), math.ceil(ROOM * k) + exclude.lengths)
        self.room = torch.from_numpy(np.minimum(room, len(graph))).to(device)
        self.work = torch.zeros(batch, dtype=torch.int64, device=device)
        self.beam = torch.full((batch, width), self.none, device=device)
        self.scores = torch.full((batch, width), -torch.inf, device=device)
        self.fresh = torch.zeros(batch, width, dtype=torch.bool, device=device)
        self.improved = torch.zeros(batch, dtype=torch.bool, device=device)
        self.pool: list[tuple[Tensor, Tensor]] = [(self.beam[:, :0], self.scores[:, :0])]
        highest = max(int(graph.items.max()) if self.none else 0, int(exclude.values.max(initial=0)))
        self.ids = highest + 1
        self.barred = torch.from_numpy(exclude.rows() * self.ids + exclude.values).to(device)  # sorted

    def score_layer(self, stop: int, width: int) -> None:
        """Score the nodes 0 .. stop - 1 for every request."""
        batch = len(self.work)
        nodes = torch.arange(stop, device=self.device).expand(batch, -1)
        self.visited[:, :stop] = True
        self._keep(nodes, self.scorer.block(0, stop), torch.full_like(self.work, stop), width)

    def score_entries(self, entries: Tensor) -> None:
        """Score each request's own nodes, once each."""
        found = torch.where(entries < 0, self.none, entries)
        new = _first(found, self.none)
        new &= new.cumsum(1) <= self.room[:, None]
        self._score(*self._compact(found, new), self.effort.width(0))

    def layer(self, level: int) -> None:
        """Expand the beams on one layer, then those new candidates that stayed in them, round after round."""
        width = self.effort.width(level)
        self.beam[:, width:], self.scores[:, width:] = self.none, -torch.inf
        self.fresh = self.beam < self.none
        left = torch.full_like(self.work, width * self.effort.turns(level))
        idle = torch.zeros_like(left)
        for quota in self.effort.quotas(level):
            if not self._round(level, width, left, quota):
                break
            if self.effort.patience:
                idle = torch.where(self.improved, 0, idle + 1)
                left[idle >= self.effort.patience] = 0

    def top(self) -> tuple[Tensor, Tensor]:
        """The best k allowed of all that was scored: ids int64 and scores float32 (B, k), padded with -1 and -inf."""
        nodes, scores = (torch.cat(parts, 1) for parts in zip(*self.pool, strict=True))
        self.pool = [(nodes, scores)]
        ids = torch.cat([self.graph.items, self.graph.items.new_full((1,), -1)])[nodes]
        keys = ids + torch.arange(len(ids), device=self.device)[:, None] * self.ids
        barred = ids < 0
        if len(self.barred):
            place = torch.searchsorted(self.barred, keys).clamp(max=len(self.barred) - 1)
            barred |= self.barred[place] == keys
        best, at = scores.masked_fill(barred, -torch.inf).topk(min(self.k, scores.shape[1]), 1)
        ids = ids.gather(1, at).masked_fill(best == -torch.inf, -1)
        short = self.k - ids.shape[1]
        pad = torch.nn.functional.pad
        return pad(ids, (0, short), value=-1), pad(best, (0, short), value=-torch.inf)

    def widen(self, ids: Tensor) -> bool:
        """Score more nodes, in their order, for the requests with fewer than k answers; False where none is left."""
        wanting = (ids < 0).any(1) & (self.work < self.none)
        if not bool(wanting.any()):
            return False
        new = ~self.visited[:, : self.none]
        new &= (new.cumsum(1) <= max(WIDEN, self.k)) & wanting[:, None]
        nodes = torch.arange(self.none, device=self.device).expand(len(ids), -1)
        return self._score(*self._compact(nodes, new), self.beam.shape[1])

    def _round(self, level: int, width: int, left: Tensor, quota: int) -> bool:
        """As `walk.Walk.round`."""
        bound = self.room.clamp(max=quota)[:, None]
        ready = self.fresh & (self.fresh.cumsum(1) <= left[:, None])
        most = int(ready.sum(1).amax()) if len(ready) else 0
        degree = self.graph.degrees[level]
        if not most or not degree:
            return False
        place = torch.sort(ready, dim=1, descending=True, stable=True)[1][:, :most]  # (B, F), best first
        ready, nodes = ready.gather(1, place), self.beam.gather(1, place)
        offsets, links = self.graph.offsets[level], self.graph.links[level]
        nodes = torch.where(ready, nodes, 0)
        step = torch.arange(degree, device=self.device)
        at = offsets[nodes][:, :, None] + step  # (B, F, D)
        there = (at < offsets[nodes + 1][:, :, None]) & ready[:, :, None]
        others = torch.where(there, links[at.clamp(max=len(links) - 1)].long(), self.none).flatten(1)  # (B, F x D)
        others = torch.where(self.visited.gather(1, others), self.none, others)
        new = _first(others, self.none)
        total = new.cumsum(1)
        after = total.unflatten(1, (most, degree))[:, :, -1]  # (B, F): found once the candidate is expanded
        before = torch.nn.functional.pad(after, (1, 0))[:, :-1]
        whole = ready & (before < bound) & (after <= bound)
        self.fresh.scatter_(1, place, self.fresh.gather(1, place) & ~whole)
        left -= whole.sum(1)
        return self._score(*self._compact(others, new & (total <= bound)), width)

    def _compact(self, nodes: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen nodes of each row in front of it (B, C), `none` after them, and how many they are (B,)."""
        counts = new.sum(1)
        most = int(counts.amax()) if len(counts) else 0
        place = torch.where(new, new.cumsum(1) - 1, most)
        found = nodes.new_full((len(nodes), most + 1), self.none)
        return found.scatter_(1, place, nodes)[:, :most], counts

    def _score(self, found: Tensor, counts: Tensor, width: int) -> bool:
        if not found.shape[1]:
            return False
        held = torch.arange(found.shape[1], device=self.device) < counts[:, None]
        found = torch.where(held, found, self.none)
        self.visited.scatter_(1, found, True)
        self.visited[:, self.none] = False
        scores = self.scorer.pairs(torch.where(held, found, 0)).masked_fill(~held, -torch.inf)
        self._keep(found, scores, counts, width)
        return True

    def _keep(self, found: Tensor, scores: Tensor, counts: Tensor, width: int) -> None:
        """Note what was scored, and merge it into the beams, old ones first among equals."""
        self.work += counts
        self.room -= counts
        self.pool.append((found, scores))
        old = self.beam.shape[1]
        nodes = torch.cat([self.beam, found], 1)
        fresh = torch.cat([self.fresh, found < self.none], 1)
        best, order = torch.cat([self.scores, scores], 1).sort(dim=1, descending=True, stable=True)
        best, order = best[:, :width], order[:, :width]
        self.improved = ((order >= old) & (best > -torch.inf))[:, : self.k].any(1)
        self.scores[:, :width], self.beam[:, :width] = best, nodes.gather(1, order)
        self.fresh[:, :width] = fresh.gather(1, order)


def _first(nodes: Tensor, none: int) -> Tensor:
    """bool, where a node stands in its row (B, C) for the first time; never at `none`."""
    values, order = nodes.sort(dim=1, stable=True)
    new = values < none
    new[:, 1:] &= values[:, 1:] != values[:, :-1]
    return torch.zeros_like(new).scatter_(1, order, new)
