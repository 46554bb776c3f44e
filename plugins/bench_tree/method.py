"""What the methods with a tree have in common: parameters, rounds of training, the search and the files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench import Answer, Catalog, Context, Evaluation, ParameterError, Requests, TrainingData, hookimpl, param, recall
from bench_index.scoring import in_blocks
from bench_neural.checkpoint import apart
from bench_neural.execution import device_of, seeded, use_threads
from bench_neural.method import NetworkMethod
from bench_neural.moments import InnerObjective
from bench_neural.pairs import PairScorer
from bench_neural.table import prepared
from bench_neural.training import Outcome, Schedule, fit, scheduled, shared_out
from bench_neural.validation import mean_recall, some_of
from bench_neural.windows import Windows, later_share
from bench_tree.building import SPECTRAL_ITEMS, category_order, cluster_order, random_order, spectral_order
from bench_tree.network import Nodes, biases, means
from bench_tree.objective import Aims, Levelwise, TreeObjective
from bench_tree.search import Beam
from bench_tree.serving import Index
from bench_tree.tree import Tree, first_learnt

VALIDATION_REQUESTS, VALIDATION_BEAM = 500, 100


@dataclass
class TreeMethod(NetworkMethod, ABC):
    """A scorer over the nodes of a tree, trained in rounds and searched with a beam."""

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "tree nodes scored"
    rule: ClassVar[str] = "own"  # what orders nodes in the search: see bench_tree.search

    tree: str = param(
        "clusters",
        help="the first tree. category: items sorted by category, then halved; random; clusters: balanced 2-means of "
        "vectors that are learnt before, without a tree; spectral: halves of their graph of near neighbours",
        choices=("category", "random", "clusters", "spectral"),
    )
    category: str = param(
        "", help="tree=category: the feature of the catalog that items are sorted by; empty: the first"
    )
    moments: int = param(2, help="moments of a window at which nodes are learnt", low=1, high=10_000)
    branching: int = param(2, help="children of a node", low=2, high=1000)
    rounds: int = param(
        2,
        help="trainings, each but the first on a tree that is learnt anew; they share out epochs and seconds",
        low=1,
        high=100,
    )
    loss: str = param(
        "softmax", help="softmax: over the nodes of a level; bce: each node on its own", choices=("softmax", "bce")
    )
    lifted: bool = param(False, help="inner nodes also have the side information of the items below")
    hierarchical: bool = param(False, help="tdm, jtm: a level's nodes meet behaviours as their ancestors on that level")
    first_level: int = param(
        0,
        help="the highest level of the tree that is learnt and searched; 0: the first of eight nodes or more",
        low=0,
        high=64,
    )
    stride: int = param(
        0,
        help="the search scores only every so many levels, in validation and where it is learnt from (otm) too; 1: "
        "each, as in the papers; 0: every second of a binary tree, else each",
        low=0,
        high=6,
    )
    level_negatives: tuple[int, ...] = param(
        (64, 32),
        help="nodes drawn a batch and level, from the level above the leaves up, the last number for all above",
        low=1,
        high=1_000_000,
    )
    precision: str = param(
        "bfloat16", phase="index", help="numbers that the index holds", choices=("float32", "bfloat16")
    )
    beam: int = param(
        64,
        phase="query",
        help="nodes kept of the lowest level above the leaves that is scored, more where k or what a request excludes "
        "needs it",
        low=1,
        high=1_000_000,
        sweep=(50, 100, 200, 400),
        log=True,
    )
    taper: float = param(
        0.75,
        phase="query",
        help="for each level of the tree further up so much of the beam is kept, at least a tenth",
        low=0.1,
        high=1.0,
    )

    tree_: Tree = field(init=False, repr=False)
    nodes_: Nodes = field(init=False, repr=False)
    index_: Index = field(init=False, repr=False)

    @abstractmethod
    def learnt(self, data: TrainingData, context: Context) -> tuple[Tree, Nodes]:
        """The tree of the next round, and its nodes as that begins with them."""

    def check(self, data: TrainingData) -> None:
        """Raises ParameterError where the parameters do not go with the data or with one another."""
        if self.hierarchical and self.scorer in ("inner", "dnn", "mol"):
            raise ParameterError(
                f"hierarchical=True changes the behaviours that a scorer looks at, and scorer={self.scorer} looks at "
                "none: use attention, windows or interests"
            )
        if self.tree == "spectral" and data.catalog.size > SPECTRAL_ITEMS:
            raise ParameterError(
                f"tree=spectral takes catalogs of up to {SPECTRAL_ITEMS:,} items, this one has {data.catalog.size:,}: "
                "leave it at clusters"
            )

    @hookimpl
    def divide(self, shards: int) -> None:
        """A shard has the part of the tree that leads to its items, and the whole beam."""
        if self._whole:
            raise ParameterError(
                "a node's score is a share among all its siblings, which a part of the tree lacks"
                if self.rule == "softmax"
                else "with hierarchical=True histories are read as their ancestors in the whole tree"
            )

    @property
    def _whole(self) -> bool:
        """Whether the search needs the whole tree, whichever items may be answered."""
        return self.rule == "softmax" or self.hierarchical

    @property
    def step(self) -> int:
        """Levels from one that the search scores to the next."""
        return self.stride or (2 if self.branching == 2 else 1)

    def start(self, begins: NDArray[np.int64]) -> int:
        """The highest level that is learnt and searched of a tree whose levels begin at the nodes `begins`."""
        return first_learnt(begins, self.first_level)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        self.check(data)
        use_threads(context.threads)
        self.counts_ = np.bincount(data.interactions.items, minlength=data.catalog.size)
        turns = list(range(0 if self.tree in ("clusters", "spectral") else 1, self.rounds + 1))
        validation = some_of(data.validation, context.rng, VALIDATION_REQUESTS)  # the same of every round
        with seeded(context.seed) as generator:
            self.network_ = self.fresh_network(data, self.counts_, context)
            schedules = shared_out(scheduled(self, self.counts_), len(turns))
            for turn, schedule in zip(turns, schedules, strict=True):
                if turn and turn == turns[0]:
                    self.tree_ = self._first_tree(data, context)
                    self.nodes_ = self._nodes(self.tree_, learnt=False)
                elif turn == 1:
                    self.tree_, self.nodes_ = self.clustered(context)
                elif turn:
                    self.tree_, self.nodes_ = self.learnt(data, context)
                last = turn == turns[-1]
                reached = self._learn(turn > 0, last, data, validation, generator, schedule, apart(context, turn))
                measure = "validation recall@50" if turn else "validation recall@50, exact"
                context.milestone(f"round {turn}", **{measure: reached.best})

    def objective(self, inner: InnerObjective, generator: torch.Generator, aims: Aims, last: bool) -> TreeObjective:
        """What the nodes of the tree are trained to do, in the last round or one before."""
        return Levelwise(self.network_, self.nodes_, self.tree_, inner, generator, aims)

    def clustered(self, context: Context) -> tuple[Tree, Nodes]:
        """A tree of the items' vectors, by balanced 2-means (TDM, section 3.3) or spectral halving; its nodes begin as
        the means of their items."""
        with torch.inference_mode():
            vectors = self.network_.items()[:, :-1].cpu().numpy()
        build = spectral_order if self.tree == "spectral" else cluster_order
        order = build(vectors, seed=context.seed, threads=context.threads)
        tree = Tree.of_order(order, self.branching)
        return tree, self._nodes(tree, learnt=True)

    def _first_tree(self, data: TrainingData, context: Context) -> Tree:
        items = np.arange(data.catalog.size, dtype=np.int32)
        order = random_order(items, context.rng)
        if self.tree == "category":
            order = category_order(data.catalog, items, context.rng, self.category)
        return Tree.of_order(order, self.branching)

    def _nodes(self, tree: Tree, learnt: bool) -> Nodes:
        """Fresh vectors of the tree's inner nodes, from those of the items where they are learnt."""
        with torch.no_grad():
            start = means(tree, self.network_.items()[:, :-1]) if learnt else None
        nodes = Nodes.planted(self.network_, tree, start, biases(tree, self.counts_), self.lifted)
        return nodes.to(self.network_.encoder.ids.device)

    def _learn(
        self,
        planted: bool,
        last: bool,
        data: TrainingData,
        validation: Evaluation,
        generator: torch.Generator,
        schedule: Schedule,
        context: Context,
    ) -> Outcome:
        """Train on the tree that there is, or, not `planted`, the inner product alone."""
        later = later_share(self.later, data.validation.targets)
        sampler = self.sampler(self.counts_, generator, context.device)
        inner = InnerObjective(self.network_, self.counts_, sampler, self.negatives, later)
        windows = Windows(data.interactions, self.length, later, self.batch, generator, context.device)
        if not planted:
            return self.learn_alone(inner, windows, validation, generator, schedule, context)
        levels = self.start(self.tree_.begins), self.level_negatives
        aims = Aims(self.moments, self.joint, self.loss, later, *levels, self.hierarchical)
        objective = self.objective(inner, generator, aims, last)
        candidates = data.catalog.candidates()

        def searched() -> float:
            index = Index.of(self.network_, self.nodes_, self.tree_, candidates, False)
            found = self._answer(index, validation.requests, 50, VALIDATION_BEAM, 1.0, context.threads)
            return mean_recall(float(recall(found.ids, validation.targets, 50).sum()), len(found.ids))

        model = nn.ModuleDict({"network": self.network_, "nodes": self.nodes_})
        return fit(model, windows, objective, searched, schedule, context, generators=[generator])

    @hookimpl
    def index(self, catalog: Catalog, context: Context) -> None:
        use_threads(context.threads)
        self.network_.encoder.bind(catalog)
        with torch.inference_mode():
            bfloat16 = self.precision == "bfloat16"
            candidates = catalog.candidates()
            self.index_ = Index.of(self.network_, self.nodes_, self.tree_, candidates, bfloat16, whole=self._whole)

    @hookimpl
    def query(self, requests: Requests, k: int, context: Context) -> Answer:
        threads = max(1, min(context.threads, len(requests)))  # more than one for a request cost more than they give
        use_threads(threads)
        with torch.inference_mode():
            return self._answer(self.index_, requests, k, self.beam, self.taper, threads)

    @hookimpl
    def score(self, requests: Requests, items: NDArray[np.int32], context: Context) -> NDArray[np.float32]:
        use_threads(context.threads)
        with torch.inference_mode():
            vectors = self.index_.vectors
            asked = self.network_.requests(requests, vectors)
            where = torch.from_numpy(np.asarray(items, np.int64)).to(vectors.device)
            table = prepared(self.network_.scorer, len(items), [vectors[where]], self.precision == "bfloat16")
            return PairScorer(self.network_.scorer, asked, table).block(0, len(items))

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        if phase == "train":
            self.save_network(folder)
            self.tree_.save(folder)
            self.nodes_.save(folder)
        else:
            self.index_.save(folder)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        if phase == "train":
            self.network_ = self.load_network(folder, context)
            self.tree_ = Tree.load(folder)
            self.tree_.fits(np.arange(len(self.network_.encoder.seen)))
            self.nodes_ = Nodes.load(folder, device_of(context))
        else:
            self.index_ = Index.load(folder, device_of(context))

    def _answer(self, index: Index, requests: Requests, k: int, beam: int, taper: float, threads: int) -> Answer:
        nodes = self.nodes_ if self.hierarchical else None
        beams = Beam(beam, taper, self.rule, self.start(index.levels.begins), self.step)
        return in_blocks(requests, lambda part: index.answer(self.network_, nodes, part, k, beams, threads))


def refuse_hierarchical(method: TreeMethod) -> None:
    """Raises ParameterError where a method that does not train level by level is asked for hierarchical behaviours."""
    if method.hierarchical:
        raise ParameterError("hierarchical=True is for tdm and jtm, which train level by level: leave it out here")
