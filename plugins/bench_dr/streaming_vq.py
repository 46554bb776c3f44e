"""Streaming vector quantisation: one layer of nodes that items come to and leave while training goes on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bench import Catalog, Context, TrainingData, hookimpl, param
from bench_dr.codebook import Codebook, StreamingObjective
from bench_dr.learning import Passing, likelihood
from bench_dr.method import VALIDATION_REQUESTS, PathMethod
from bench_dr.paths import NONE, Paths
from bench_dr.start import residual_centroids
from bench_neural.checkpoint import apart
from bench_neural.execution import seeded, use_threads
from bench_neural.moments import InnerObjective
from bench_neural.validation import some_of
from bench_neural.windows import later_share


@dataclass
class StreamingVQ(PathMethod):
    """Items in clusters that follow the items' vectors batch by batch; users find clusters, and the items in them.

    Real-time Indexing for Large-scale Recommendation by Streaming Vector Quantization Retriever (2025). A cluster
    is the moving mean of the items that come to it, popular ones counting less than they are met (`discount`), and
    little visited clusters seem nearer than they are (`balance`): both keep clusters alike in size.

    Departures from the paper. The first clusters are k-means of vectors that a training without clusters has learnt.
    Vectors are learnt by the inner product, which reranks, and not through the quantised ones. All items go to their
    nearest cluster once more when training ends. New items go to the cluster nearest to what their side information
    makes of them.
    """

    nodes: int = param(200, help="clusters, K", low=2, high=1_000_000)
    keep: float = param(0.99, help="of what has come to a cluster, kept at each batch", low=0.0, high=1.0)
    discount: float = param(0.25, help="an item met f times counts f^(1 - discount) for its cluster", low=0.0, high=1.0)
    balance: float = param(
        2.0, help="clusters of less than the mean weight divided by it seem nearer; 0: none does", low=0.0, high=1000.0
    )

    @property
    def depth(self) -> int:
        return 1

    def fresh_layers(self) -> Codebook:
        return Codebook(self.dim, self.nodes, len(self.popularity_), self.keep, self.balance)

    @hookimpl
    def train(self, data: TrainingData, context: Context) -> None:
        use_threads(context.threads)
        validation = some_of(data.validation, context.rng, VALIDATION_REQUESTS)
        later = later_share(self.later, data.validation.targets)
        with seeded(context.seed) as generator:
            self.started(data, context)
            alone, streaming = self.turns(2)
            reached = self.learn(None, data, validation, generator, alone, apart(context, 0))
            context.milestone("vectors", **{"validation recall@50, exact": reached.best})
            with torch.inference_mode():
                self.paths_ = self.first(context)
            reached = self.learn(self.paths_, data, validation, generator, streaming, apart(context, 1))
            passing = Passing(self.network_, data.interactions, 20_000, later, self.batch, context)
            with torch.inference_mode():
                self.paths_ = self.now(self.paths_)
                likely = likelihood(passing, self.path_layers_, self.paths_)
            self.moments_ = self.popularity_[:, None].astype(np.float32)
            told = {"largest path": int(self.paths_.sizes.max(initial=0)), "used paths": len(self.paths_.sizes)}
            told |= {"validation recall@50": reached.best, "log-likelihood": likely.mean}
            context.milestone("clusters", **told)

    def first(self, context: Context) -> Paths:
        """The clusters that streaming begins with: k-means, each of the weight of its items."""
        book, met = self.book, np.flatnonzero(self.popularity_)
        vectors = self.network_.items()[:, :-1]
        some = vectors[torch.from_numpy(met).to(vectors.device)]
        centroids = residual_centroids(some.cpu().numpy(), self.nodes, 1, context.seed)[0]
        book.sums.copy_(torch.from_numpy(centroids))
        nodes = book.nearest(some)
        worth = torch.from_numpy(self.popularity_[met].astype(np.float32)) ** (1 - self.discount)
        weights = torch.zeros(self.nodes).index_add_(0, nodes.cpu(), worth / worth.mean())
        book.weights.copy_(weights.clamp(min=1e-3))
        book.sums.mul_(book.weights[:, None])
        return self.now(Paths(self.nodes, 1, np.full((len(self.popularity_), 1), NONE, np.int64)))

    @property
    def book(self) -> Codebook:
        """The path model."""
        assert isinstance(self.path_layers_, Codebook)
        return self.path_layers_

    def objective(
        self, paths: Paths, inner: InnerObjective, generator: torch.Generator, later: float
    ) -> StreamingObjective:
        book = self.book
        book.place.copy_(torch.from_numpy(paths.numbers[:, 0]))
        frequencies = torch.from_numpy(self.popularity_.astype(np.float32)).to(book.bias.device)
        return StreamingObjective(book, inner, generator, self.moments, self.joint, later, frequencies, self.discount)

    def now(self, paths: Paths) -> Paths:
        met = np.flatnonzero(self.popularity_)
        numbers = np.full((len(self.popularity_), 1), NONE, np.int64)
        numbers[met, 0] = self.nearest(met)
        return dataclasses.replace(paths, numbers=numbers)

    def nearest(self, items: NDArray[np.int64]) -> NDArray[np.int64]:
        """The cluster int64 [n] of items int64 [n] of the bound catalog."""
        vectors = self.network_.items()[:, :-1]
        found: NDArray[np.int64] = self.book.nearest(vectors[torch.from_numpy(items).to(vectors.device)]).cpu().numpy()
        return found

    def placed(self, catalog: Catalog) -> Paths:
        paths, new = self.unplaced(catalog)
        paths.numbers[new, 0] = self.nearest(new.astype(np.int64))
        return paths
