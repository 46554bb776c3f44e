"""What a path method's index holds, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Requests
from bench_dr.layers import PathModel
from bench_dr.paths import Paths, Trie
from bench_dr.search import best_paths, candidates, path_scores
from bench_index.topk import TopK
from bench_neural.network import Network
from bench_neural.pairs import PairScorer
from bench_neural.table import load_table, prepared, save_table

WIDER = 4  # the beam, where too few items were found


@dataclass(frozen=True, slots=True)
class Way:
    """beam: beginnings of paths kept in each layer; ratio: candidates for each item asked for; reranked: these are
    ordered by the network's scorer, else by what made them candidates."""

    beam: int
    ratio: int
    reranked: bool


@dataclass(frozen=True)
class Index:
    """vectors (N, d + 1) of the catalog; paths of its items; weights float32 [N, J]: of each item on each of its paths;
    items int32 [n]: those that may be answered, sorted; table (n, width): the scorer's item side of these, float32 or
    bfloat16."""

    vectors: Tensor
    paths: Paths
    weights: NDArray[np.float32]
    items: NDArray[np.int32]
    table: Tensor

    @cached_property
    def trie(self) -> Trie:
        """The paths on which something may be answered."""
        return Trie.of(self.paths, self.items, self.weights)

    def answer(self, network: Network, layers: PathModel, requests: Requests, k: int, way: Way, threads: int) -> Answer:
        """The k best of the items on the best paths. A request that has fewer searches again with a wider beam, until
        it has them or has seen every path. Work counts softmaxes of a layer, and items reranked. Called without
        gradients."""
        asked = network.requests(requests, self.vectors)
        scorer = PairScorer(network.scorer, asked, self.table, threads)
        states, exclude, beam = asked.state[:, :-1], requests.exclude, way.beam
        rows = np.arange(len(requests))
        ids = np.full((len(requests), k), -1, np.int32)
        scores = np.full(ids.shape, -np.inf, np.float32)
        work = np.zeros(len(requests), np.int32)
        while len(rows):
            found = best_paths(layers, states, beam, self.trie)
            nodes, chances, counts = candidates(found, self.trie, way.ratio * k, exclude)
            work[rows] += found.work
            if way.reranked:
                chances = scorer.pairs(self._rows[nodes], counts)[:, : nodes.shape[1]]
                work[rows] += counts.astype(np.int32)
            top = TopK(self._every, k, exclude)
            top.add(nodes, np.ascontiguousarray(chances), counts)
            ids[rows], scores[rows] = top.answer()
            short = counts < k
            if beam >= len(self.trie) or not short.any():
                break
            beam *= WIDER
            rows, states, exclude = rows[short], states[torch.from_numpy(short)], exclude.take(np.flatnonzero(short))
            scorer = PairScorer(network.scorer, asked.ordered(torch.from_numpy(rows)), self.table, threads)
        return Answer(ids, scores, work)

    def score(
        self, network: Network, layers: PathModel, requests: Requests, items: NDArray[np.int32], reranked: bool
    ) -> NDArray[np.float32]:
        """What orders the answers, exactly, float32 [B, C]; called without gradients."""
        asked = network.requests(requests, self.vectors)
        if reranked:
            vectors = self.vectors[torch.from_numpy(items.astype(np.int64)).to(self.vectors.device)]
            table = prepared(network.scorer, len(items), [vectors], self.table.dtype == torch.bfloat16)
            return PairScorer(network.scorer, asked, table).block(0, len(items))
        return path_scores(layers, asked.state[:, :-1], self.trie, self.paths.numbers[items], self.weights[items])

    @cached_property
    def _every(self) -> NDArray[np.int32]:
        return np.arange(len(self.vectors), dtype=np.int32)

    @cached_property
    def _rows(self) -> NDArray[np.int32]:
        """int32 [N]: the row in the table of each item, 0 for those that are not answered."""
        rows = np.zeros(len(self.vectors), np.int32)
        rows[self.items] = np.arange(len(self.items))
        return rows

    def save(self, folder: Path) -> None:
        """Write everything into `folder`."""
        self.paths.save(folder)
        np.save(folder / "items.npy", self.items, allow_pickle=False)
        np.save(folder / "weights.npy", self.weights, allow_pickle=False)
        np.save(folder / "vectors.npy", self.vectors.cpu().numpy(), allow_pickle=False)
        save_table(folder / "table.npy", self.table)

    @classmethod
    def load(cls, folder: Path, nodes: int, layers: int, device: str) -> Self:
        """Read what `save` wrote."""
        vectors = torch.from_numpy(np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)).to(device)
        items, weights = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("items", "weights"))
        paths = Paths.load(folder, nodes, layers)
        return cls(vectors, paths, weights, items, load_table(folder / "table.npy", device))
