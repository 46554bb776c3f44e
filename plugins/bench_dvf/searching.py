"""How DVF answers a batch of requests from its index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Requests
from bench_dvf.device import DevicePairScorer
from bench_dvf.effort import fitted
from bench_dvf.serving import Index
from bench_index.beam import search
from bench_index.classic import classic_search
from bench_index.device import device_search
from bench_neural.network import Network
from bench_neural.pairs import PairScorer
from bench_neural.scorers import Asked


@dataclass(frozen=True, slots=True)
class Way:
    """A method's query parameters, as DVF describes them."""

    walk: str
    ef: tuple[int, ...]
    rounds: tuple[int, ...]
    share: float
    quota: int
    early_stop: int
    entry: int
    sets: str


def answer(index: Index, network: Network, requests: Requests, k: int, way: Way, threads: int) -> Answer:
    """The k best that the search finds for each request; called without gradients."""
    graph, asked = index.graph, network.requests(requests, index.vectors)
    if way.walk == "classic":
        scorer = PairScorer(network.scorer, asked, index.table)
        return classic_search(graph, scorer, way.ef[-1], k, requests.exclude, threads)
    effort = fitted(graph, way.ef, way.rounds, way.share, way.quota, way.early_stop)
    entries = nearest_entries(index, asked, way.entry)
    if index.on_device is not None and way.sets == "device":
        there = DevicePairScorer(network.scorer, asked, index.table)
        return device_search(graph, index.on_device, there, effort, k, requests.exclude, entries)
    scorer = PairScorer(network.scorer, asked, index.table)
    begin: NDArray[np.int32] | None = None if entries is None else entries.int().cpu().numpy()
    return search(graph, scorer, effort, k, requests.exclude, threads, begin)


def nearest_entries(index: Index, asked: Asked, count: int) -> Tensor | None:
    """The `count` nodes int64 (B, count) of the second layer with the largest inner products; None for a count of 0."""
    if not count or len(index.graph.layers) < 2:
        return None
    items = index.graph.ids[: len(index.graph.layers[1])].astype(np.int64)
    inner = asked.state @ index.vectors[torch.from_numpy(items).to(index.vectors.device)].T
    return inner.topk(min(count, len(items))).indices
