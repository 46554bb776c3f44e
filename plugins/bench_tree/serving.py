"""What a tree method's index holds, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Answer, Requests
from bench_neural.network import Network
from bench_neural.pairs import PairScorer
from bench_neural.table import ROWS_AT_ONCE, load_table, prepared, save_table
from bench_tree.growth import Grown, grown
from bench_tree.network import Nodes
from bench_tree.search import beam_search
from bench_tree.tree import Tree


@dataclass(frozen=True, slots=True)
class Index:
    """vectors (N, d + 1) of the catalog; levels: the tree; answers int32 [leaves]: the item of each leaf, -1 where it
    may not be answered; table (nodes, width): the scorer's item side of every node, float32 or bfloat16.
    """

    vectors: Tensor
    levels: Grown
    answers: NDArray[np.int32]
    table: Tensor

    @classmethod
    def of(cls, network: Network, nodes: Nodes, tree: Tree, candidates: NDArray[np.int32], bfloat16: bool) -> Index:
        """The index over `candidates` int32 [C]; those that the tree does not have join it. Called without gradients;
        the network is bound to the query catalog."""
        vectors = network.items()
        numbers = vectors[:, :-1].cpu().numpy()
        further = np.setdiff1d(candidates, tree.items).astype(np.int32)
        means = tree.sums(numbers[tree.items]) / tree.counts[:, None].astype(np.float32)
        levels = grown(tree, means, further, numbers[further])
        answers = np.where(np.isin(levels.items, candidates), levels.items, np.int32(-1))
        inner = torch.arange(nodes.inner, device=vectors.device)
        leaves = torch.from_numpy(levels.items.astype(np.int64)).to(vectors.device)
        blocks = (
            *(nodes.above(network, some) for some in inner.split(ROWS_AT_ONCE)),
            *(vectors[some] for some in leaves.split(ROWS_AT_ONCE)),
        )
        return cls(vectors, levels, answers, prepared(network.scorer, int(levels.begins[-1]), blocks, bfloat16))

    def answer(
        self, network: Network, requests: Requests, k: int, beam: int, taper: float, threads: int, rule: str
    ) -> Answer:
        """The k best that the beam search finds for each request; called without gradients."""
        scorer = PairScorer(network.scorer, network.requests(requests, self.vectors), self.table)
        return beam_search(self.levels, self.answers, scorer, beam, k, requests.exclude, threads, rule, taper)

    def save(self, folder: Path) -> None:
        """Write everything into `folder`."""
        self.levels.save(folder)
        np.save(folder / "answers.npy", self.answers, allow_pickle=False)
        np.save(folder / "vectors.npy", self.vectors.cpu().numpy(), allow_pickle=False)
        save_table(folder / "table.npy", self.table)

    @classmethod
    def load(cls, folder: Path, device: str) -> Index:
        """Read what `save` wrote."""
        vectors = torch.from_numpy(np.load(folder / "vectors.npy", allow_pickle=False)).to(device)
        answers = np.load(folder / "answers.npy", allow_pickle=False)
        return cls(vectors, Grown.load(folder), answers, load_table(folder / "table.npy", device))
