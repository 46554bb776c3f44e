"""Deep Retrieval: the network and the items' paths, learnt in turn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from bench import Catalog, Context, ParameterError, TrainingData, hookimpl, param
from bench_dr.assignment import Assignment, Scores, Sums, assigned
from bench_dr.layers import PathLayers, PathModel
from bench_dr.learning import Askers, Passing, likelihood, scored
from bench_dr.method import VALIDATION_REQUESTS, PathMethod
from bench_dr.paths import NONE, Paths
from bench_dr.search import best_paths
from bench_dr.start import nearest_paths, random_paths, residual_centroids
from bench_neural.checkpoint import apart
from bench_neural.execution import seeded, use_threads
from bench_neural.validation import some_of
from bench_neural.windows import later_share


@dataclass
class DR(PathMethod):
    """Items on a few paths through layers of nodes; beam search finds the likeliest paths, and what lies there.

    Deep Retrieval: Learning A Retrievable Structure for Large-Scale Recommendations (CIKM 2021). The network learns the
    summed probability of the paths of what a user meets (E-step); the paths are then chosen anew by how probable they
    were at an item's moments, with a penalty on full ones (M-step: bench_dr.assignment). Candidates are reranked by an
    inner product learnt jointly.

    Departures from the paper. Users and items are encoded as in DVF, and the inner product is learnt at every moment of
    a window, the paths at a few; a part of their gradient (`joint`) reaches the encoders. The first paths are those of
    vectors that a round without paths has learnt, by residual k-means; the paper's are `start=random`. Items stay on
    the paths of the last round. An item that nobody met in training is placed through the path model as the users who
    might ask for it would be (bench_dr.learning.Askers). The search keeps only beginnings of paths in use. What makes
    an item a candidate is p(path) times the item's share of what came by that path, summed over its paths, where the
    paper sums p(path) alone (`shares=false`): few candidates of a full path are then its likeliest.
    """

    layers: int = param(3, help="layers of nodes, D", low=1, high=16)
    hidden: int = param(128, help="width of a layer's hidden layer", low=4, high=4096)
    each: int = param(3, help="paths of an item, J", low=1, high=64)
    rounds: int = param(
        3,
        help="trainings, each but the first on paths assigned anew; they share out epochs and seconds",
        low=1,
        high=100,
    )
    start: str = param(
        "clusters",
        help="the first paths. clusters: by residual k-means of vectors that are learnt before; random",
        choices=("clusters", "random"),
    )
    alpha: float = param(
        0.01,
        help="weight of the penalty on paths with many items",
        low=0.0,
        high=1e6,
        log=True,
        sweep=(1e-4, 1e-3, 1e-2),
    )
    cap: int = param(0, help="the most items on a path; 0: no bound", low=0, high=1_000_000_000)
    scored: int = param(25, help="paths that are scored at a moment and kept of an item, S", low=1, high=10_000)
    samples: int = param(
        200_000, help="moments of training windows by which paths are assigned", low=1, high=1_000_000_000
    )
    decay: float = param(
        0.0,
        help="what scores of the round before still count for (the paper's streaming form); 0: nothing, and those of "
        "a round are summed exactly",
        low=0.0,
        high=1.0,
    )
    passes: int = param(4, help="passes of coordinate descent over the items", low=1, high=100)

    askers_: Askers = field(init=False, repr=False)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        paths_in_all = self.nodes**self.layers
        if self.cap and self.cap * paths_in_all < data.catalog.size * self.each:
            raise ParameterError(
                f"cap={self.cap}: {paths_in_all:,} paths have no room for {data.catalog.size:,} items on {self.each} "
                "each; raise cap, nodes or layers"
            )
        first = 0 if self.start == "clusters" else 1
        validation = some_of(data.validation, context.rng, VALIDATION_REQUESTS)  # the same of every round
        later = later_share(self.later, data.validation.targets)
        tally: Scores | None = None
        paths: Paths | None = None
        with seeded(context.seed) as generator:
            self.started(data, context)
            passing = Passing(self.network_, data.interactions, self.samples, later, self.batch, context)
            for turn, schedule in enumerate(self.turns(self.rounds + 1 - first), first):
                with torch.inference_mode():
                    if turn == 1:
                        paths = self.first(data, context)
                    elif turn > 1:
                        tally = self.tallied(passing, tally, data.catalog.size)
                        paths = Paths(self.nodes, self.layers, self.chosen(tally, paths).numbers)
                reached = self.learn(paths, data, validation, generator, schedule, apart(context, turn))
                if paths is None:
                    context.milestone("round 0", **{"validation recall@50, exact": reached.best})
                    continue
                with torch.inference_mode():
                    likely = likelihood(passing, self.path_layers_, paths)
                self.moments_ = likely.moments
                told = {"largest path": int(paths.sizes.max(initial=0)), "used paths": len(paths.sizes)}
                told |= {"validation recall@50": reached.best, "log-likelihood": likely.mean}
                context.milestone(f"round {turn}", **told)
            assert paths is not None
            self.paths_ = paths
            with torch.inference_mode():
                self.askers_ = Askers.fitted(passing, self.network_)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.each > self.nodes**self.layers:
            raise ParameterError(f"each={self.each}: {self.layers} layers of {self.nodes} nodes have fewer paths")

    @property
    def depth(self) -> int:
        return self.layers

    def fresh_layers(self) -> PathModel:
        return PathLayers(self.dim, self.nodes, self.layers, self.hidden)

    def first(self, data: TrainingData, context: Context) -> Paths:
        """The paths of the first round, of items that were met."""
        size, met = data.catalog.size, self.popularity_ > 0
        each = min(max(self.each, self.scored), self.nodes**self.layers) if self.cap else self.each
        if self.start == "random":
            paths = random_paths(size, self.nodes, self.layers, each, context.rng)
        else:
            vectors = self.network_.items()[:, :-1].cpu().numpy()
            centroids = residual_centroids(vectors[met], self.nodes, self.layers, context.seed)
            paths = nearest_paths(vectors, centroids, each)
        if self.cap:  # the nearest that have room
            nearer = np.broadcast_to(1 / np.arange(1, each + 1, dtype=np.float32), paths.numbers.shape)
            scores = Scores(paths.numbers, nearer, self.popularity_.astype(np.float64))
            found = assigned(scores, self.nodes**self.layers, self.each, 0.0, self.cap, passes=1)
            return Paths(self.nodes, self.layers, found.numbers)
        return dataclasses.replace(paths, numbers=np.where(met[:, None], paths.numbers, NONE))

    def tallied(self, passing: Passing, before: Scores | None, items: int) -> Scores:
        """The scores of the items' paths by the network as it is; with `decay`, on top of those before."""
        if not self.decay:
            sums = Sums()
            scored(passing, self.path_layers_, self.scored, sums)
            return sums.best(items, self.scored)
        scores = Scores.none(items, self.scored) if before is None else before
        scores.decay(self.decay)
        scored(passing, self.path_layers_, self.scored, scores)
        return scores

    def chosen(self, scores: Scores, before: Paths | None) -> Assignment:
        """The paths by these scores; items without one stay where they are."""
        numbers = None if before is None else before.numbers
        return assigned(scores, self.nodes**self.layers, self.each, self.alpha, self.cap, self.passes, numbers)

    def placed(self, catalog: Catalog) -> Paths:
        paths, new = self.unplaced(catalog)
        if not len(new):
            return paths
        found = best_paths(self.path_layers_, self.askers_.states(self.network_, new), max(self.scored, self.each))
        scores = Scores.none(catalog.size, found.numbers.shape[1])
        scores.paths[new], scores.scores[new], scores.counts[new] = found.numbers, np.exp(found.chances), 1.0
        return dataclasses.replace(paths, numbers=self.chosen(scores, paths).numbers)

    @hookimpl
    def save(self, folder: Path, phase: str) -> None:
        super().save(folder, phase)
        if phase == "train":
            np.save(folder / "askers.npy", self.askers_.weights, allow_pickle=False)

    @hookimpl
    def load(self, folder: Path, phase: str, context: Context) -> None:
        super().load(folder, phase, context)
        if phase == "train":
            self.askers_ = Askers(np.load(folder / "askers.npy", allow_pickle=False))
