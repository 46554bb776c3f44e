"""Passes over training moments: what assigns the items to paths anew, and what places items that nobody has met."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from bench import Context, Interactions
from bench_dr.layers import PathModel
from bench_dr.paths import NONE, Paths
from bench_dr.search import best_paths
from bench_neural.network import Network
from bench_neural.windows import Windows

MOMENTS = 16  # of a window: what a window's states cost is shared by them
RIDGE = 1e-2  # of the mean square of a feature


class Tally(Protocol):
    """Takes in the targets int64 [R] of moments, their likeliest paths int64 [R, B] and these' probabilities."""

    def add(self, items: NDArray[np.int64], paths: NDArray[np.int64], chances: NDArray[np.float32], /) -> None: ...


@dataclass(frozen=True)
class Passing:
    """The moments of random training windows, always the same: `samples` of them; later, batch: as in Windows."""

    network: Network
    interactions: Interactions
    samples: int
    later: float
    batch: int
    context: Context

    def moments(self, note: str) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Batches of targets int64 [R] and the user's states (R, d) before them. Called in eval mode, without
        gradients."""
        generator = torch.Generator().manual_seed(self.context.seed)
        windows = Windows(
            self.interactions, self.network.users.length, self.later, self.batch, generator, self.context.device
        )
        vectors, seen = self.network.items()[:, :-1], 0
        for users in windows.order():
            if seen >= self.samples:
                break
            drawn = windows.draw(users)
            at, known = drawn.some(MOMENTS, generator)
            history = functional.embedding(drawn.history.clamp(min=0), vectors)
            states = self.network.users.windows(drawn, history)
            states = states.gather(1, at[:, :, None].expand(-1, -1, states.shape[2]))[known]
            seen += len(states)
            self.context.progress(min(seen, self.samples), self.samples, note)
            yield drawn.targets.gather(1, at)[known].cpu().numpy(), states


def scored(passing: Passing, layers: PathModel, beam: int, tally: Tally) -> None:
    """Give the `beam` likeliest paths of every moment to `tally`; all paths, those without items too."""
    for targets, states in passing.moments("scoring paths"):
        found = best_paths(layers, states, beam)
        tally.add(targets, found.numbers, np.exp(found.chances))


@dataclass(frozen=True, slots=True)
class Likelihood:
    """mean: over moments, of log sum_j p(path j) of the target, of those that lie on a path; moments float32 [N, J]:
    how many each item had on each of its paths, each moment shared out by how likely the paths were."""

    mean: float
    moments: NDArray[np.float32]


def likelihood(passing: Passing, layers: PathModel, paths: Paths) -> Likelihood:
    """How likely the paths are to the model, and which of an item's paths its moments come by."""
    total, count = 0.0, 0
    device = passing.network.encoder.ids.device
    codes, there = torch.from_numpy(paths.codes).to(device), torch.from_numpy(paths.numbers != NONE).to(device)
    moments = torch.zeros(paths.numbers.shape)
    for targets, states in passing.moments("likelihood of the paths"):
        rows = torch.from_numpy(targets).to(device)
        known = there[rows].any(1)
        rows, states = rows[known], states[known]
        chances = layers(states, codes[rows]).masked_fill(~there[rows], -torch.inf)
        total, count = total + float(chances.logsumexp(1).sum()), count + len(rows)
        moments.index_add_(0, rows.cpu(), chances.softmax(1).cpu())
    return Likelihood(total / max(1, count), moments.numpy())


@dataclass(frozen=True)
class Askers:
    """Who asks for an item, by what describes it: where items that nobody has met are placed.

    weights float32 [d + 1, d]: a ridge regression, fitted over the items met in training, from the sum of the
    embeddings of an item's side information (and a one) to the mean state of the users before they met it. Such a state
    goes through the path model as a request's does.
    """

    weights: NDArray[np.float32]

    @classmethod
    def fitted(cls, passing: Passing, network: Network) -> Askers:
        """By the network as it is, bound to the training catalog; called without gradients."""
        size, dim = network.encoder.size, network.encoder.dim
        sums, counts = torch.zeros(size, dim, dtype=torch.float64), np.zeros(size)
        for targets, states in passing.moments("fitting where new items go"):
            sums.index_add_(0, torch.from_numpy(targets), states.double().cpu())
            counts += np.bincount(targets, minlength=size)
        met = np.flatnonzero(counts)
        features = _features(network, met)
        weights = np.sqrt(counts[met])[:, None]
        wanted = sums.numpy()[met] / counts[met][:, None]
        squares = (features * weights).T @ (features * weights)
        squares += RIDGE * np.trace(squares) / len(squares) * np.eye(len(squares))
        return cls(np.linalg.solve(squares, (features * weights).T @ (wanted * weights)).astype(np.float32))

    def states(self, network: Network, items: NDArray[np.int32]) -> Tensor:
        """The states (n, d) of those who might ask for `items` int32 [n] of the bound catalog."""
        found = _features(network, items).astype(np.float32) @ self.weights
        return torch.from_numpy(found).to(network.encoder.ids.device)


def _features(network: Network, items: NDArray[np.integer]) -> NDArray[np.float64]:
    """float64 [n, d + 1]: the sum of the embeddings of each item's side information, and a one."""
    encoder = network.encoder
    rows = torch.from_numpy(np.asarray(items, np.int64)).to(encoder.ids.device)
    found = encoder.features(encoder.codes[rows], encoder.weights[rows]).double().cpu().numpy()
    return np.concatenate([found, np.ones((len(found), 1))], 1)
