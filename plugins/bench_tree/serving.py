"""What a tree method's index holds, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, DataError, Requests
from bench_index.scoring import Scorer
from bench_neural.history import aligned
from bench_neural.network import Network
from bench_neural.pairs import PairScorer
from bench_neural.table import ROWS_AT_ONCE, load_table, prepared, save_table
from bench_tree.descent import inner_levels
from bench_tree.growth import Grown, grown
from bench_tree.network import Nodes, Raised
from bench_tree.search import Beam, beam_search
from bench_tree.tree import Tree


@dataclass(frozen=True)
class Index:
    """vectors (N, d + 1) of the catalog; levels: the tree, or the part of it that leads to answers; answers int32
    [leaves]: the item of each leaf, -1 where it may not be answered; table (nodes, width): the scorer's item side of
    every node, float32 or bfloat16.
    """

    vectors: Tensor
    levels: Grown
    answers: NDArray[np.int32]
    table: Tensor

    @classmethod
    def of(
        cls,
        network: Network,
        nodes: Nodes,
        tree: Tree,
        candidates: NDArray[np.int32],
        bfloat16: bool,
        *,
        whole: bool = False,
    ) -> Index:
        """The index over `candidates` int32 [C]; those that the tree does not have join it. Nodes that lead to none of
        them are left out, but where the search needs the `whole` tree. Called without gradients; the network is bound
        to the query catalog."""
        vectors = network.items()
        numbers = vectors[:, :-1].cpu().numpy()
        further = np.setdiff1d(candidates, tree.items).astype(np.int32)
        means = tree.sums(numbers[tree.items]) / tree.counts[:, None].astype(np.float32)
        levels = grown(tree, means, further, numbers[further])
        wanted = np.isin(levels.items, candidates)
        kept = np.arange(nodes.inner)
        if not whole and wanted.any() and not wanted.all():
            levels, places = levels.above(wanted)
            wanted, kept = wanted[wanted], places[: levels.begins[-2]]
        answers = np.where(wanted, levels.items, np.int32(-1))
        inner = torch.from_numpy(kept).to(vectors.device)
        leaves = torch.from_numpy(levels.items.astype(np.int64)).to(vectors.device)
        blocks = (
            *(nodes.above(network, some) for some in inner.split(ROWS_AT_ONCE)),
            *(vectors[some] for some in leaves.split(ROWS_AT_ONCE)),
        )
        return cls(vectors, levels, answers, prepared(network.scorer, int(levels.begins[-1]), blocks, bfloat16))

    def answer(
        self,
        network: Network,
        nodes: Nodes | None,
        requests: Requests,
        k: int,
        beam: Beam,
        threads: int,
    ) -> Answer:
        """The k best that the beam search finds for each request; called without gradients.
        nodes: where behaviours are met as their ancestors on each level, else None."""
        scorer: Scorer = PairScorer(network.scorer, network.requests(requests, self.vectors), self.table)
        if nodes is not None:
            levels = inner_levels(self.levels, beam.start, beam.stride)
            scorer = LevelScorer(self.levels.begins, self._by_level(network, nodes, requests, levels.tolist()))
        return beam_search(self.levels, self.answers, scorer, beam, k, requests.exclude, threads, self.share)

    @cached_property
    def share(self) -> float:
        """Of the leaves that have an answer."""
        return float((self.answers >= 0).mean())

    def _by_level(self, network: Network, nodes: Nodes, requests: Requests, levels: list[int]) -> dict[int, PairScorer]:
        """The scorer of the nodes of each of `levels`, inner ones, and of the leaves."""
        device, dim = self.vectors.device, network.scorer.dim
        paths = torch.from_numpy(self.levels.paths).to(device)
        raised = Raised(network, nodes, paths)
        states, history, lengths = network.users.read(requests, self.vectors[:, :dim])
        ids = torch.from_numpy(aligned(requests.history, network.users.length)[0]).to(device).clamp(max=len(paths) - 1)
        moment = lengths[:, None]
        asked = {level: raised.asked(level, moment, states, ids) for level in levels}
        asked[self.levels.height] = network.moments(moment, states, history)
        return {level: PairScorer(network.scorer, one, self.table) for level, one in asked.items()}

    def save(self, folder: Path) -> None:
        """Write everything into `folder`."""
        self.levels.save(folder)
        np.save(folder / "answers.npy", self.answers, allow_pickle=False)
        np.save(folder / "vectors.npy", self.vectors.cpu().numpy(), allow_pickle=False)
        save_table(folder / "table.npy", self.table)

    @classmethod
    def load(cls, folder: Path, device: str) -> Index:
        """Read what `save` wrote; raises DataError where the tree is not over the catalog that the vectors are of."""
        vectors = torch.from_numpy(np.load(folder / "vectors.npy", mmap_mode="c", allow_pickle=False)).to(device)
        answers, levels = np.load(folder / "answers.npy", allow_pickle=False), Grown.load(folder)
        unknown = levels.items[(levels.items < 0) | (levels.items >= len(vectors))]
        if len(unknown):
            raise DataError(
                f"{folder}: item {unknown[0]} of the tree is not one of the catalog's {len(vectors):,}; delete it and "
                "build the index again"
            )
        if answers.shape != levels.items.shape:
            raise DataError(f"{folder}: the tree's files do not fit together; delete it and build the index again")
        return cls(vectors, levels, answers, load_table(folder / "table.npy", device))


class LevelScorer:
    """A bench_index Scorer over a tree's nodes that asks another way on each level; a call is of one level's nodes."""

    def __init__(self, begins: NDArray[np.int64], levels: dict[int, PairScorer]) -> None:
        self.begins, self.levels = begins, levels

    def part(self, start: int, stop: int) -> Self:
        return type(self)(self.begins, {level: one.part(start, stop) for level, one in self.levels.items()})

    def block(self, start: int, stop: int) -> NDArray[np.float32]:
        return self._at(start).block(start, stop)

    def pairs(self, nodes: NDArray[np.int32], counts: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._at(int(nodes.max(initial=0))).pairs(nodes, counts)

    def _at(self, node: int) -> PairScorer:
        return self.levels[int(np.searchsorted(self.begins, node, side="right")) - 1]
