"""What the methods with a network of items and users have in common: its parameters, its making, and its file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench import Context, Evaluation, TrainingData, param
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.execution import device_of
from bench_neural.history import CausalTransformer, History
from bench_neural.moments import InnerObjective
from bench_neural.negatives import NegativeSampler
from bench_neural.network import Network
from bench_neural.scorers import InnerProduct, Scorer, scorer_of
from bench_neural.storage import load_encoders, load_weights, save_encoders, save_weights
from bench_neural.training import Outcome, Schedule, fit
from bench_neural.users import UserEncoder
from bench_neural.validation import validation_recall
from bench_neural.windows import Batch, Windows


@dataclass
class Learning:
    """Parameters of embeddings, of what a batch is contrasted with, and of the training loop: those of every neural
    method."""

    dim: int = param(64, help="length of item vectors and user states", low=1, high=4096, sweep=(32, 64, 128))
    length: int = param(100, help="newest items of a history that the user network reads", low=1, high=10_000)
    dropout: float = param(
        0.2,
        help="share of the user network's activations dropped in training",
        low=0.0,
        high=0.9,
        sweep=(0.1, 0.2, 0.3),
    )
    id_dropout: float = param(0.02, help="share of item ids hidden in training, for new items' sake", low=0.0, high=1.0)
    id_scale: float = param(
        0.1,
        help="size of the items' own embeddings at first, so that side information speaks first",
        low=0.0,
        high=10.0,
    )
    later: float = param(
        -1.0,
        help="share of targets that are any later item, not the next one; -1: half where requests have several targets",
        low=-1.0,
        high=1.0,
    )
    negatives: int = param(256, help="items drawn for a batch", low=1, high=1_000_000)
    power: float = param(0.75, help="negatives are drawn by frequency to this power", low=0.0, high=1.0)
    uniform: float = param(0.25, help="share of negatives drawn evenly instead", low=0.0, high=1.0)
    learning_rate: float = param(
        3e-3,
        help="AdamW's step size at first; it falls to a twentieth",
        low=1e-6,
        high=1.0,
        log=True,
        sweep=(1e-3, 3e-3, 1e-2),
    )
    weight_decay: float = param(0.0, help="AdamW's weight decay", low=0.0, high=1.0)
    batch: int = param(64, help="windows a batch", low=1, high=100_000)
    epochs: int = param(
        0, help="passes over the training data; 0: one for eight interactions an item, 3 to 20", low=0, high=10_000
    )
    patience: int = param(
        4,
        help="epochs without a better validation recall@50 before it stops, which with fewer than 30 "
        "validation requests it never does",
        low=1,
        high=10_000,
    )
    seconds: float = param(600.0, help="training begins no batch after so long; 0: no limit", low=0.0, high=1e7)


@dataclass
class EncoderMethod(Learning):
    """Parameters of a `Network` whose scorer is the inner product, and of its training; a method is a subclass with
    hooks and parameters of its own."""

    blocks: int = param(2, help="transformer blocks of the user network", low=1, high=64)
    heads: int = param(2, help="attention heads of the user network, a divisor of dim", low=1, high=64)

    network_: Network = field(init=False, repr=False)

    def fresh_network(self, data: TrainingData, counts: NDArray[np.int64], context: Context) -> Network:
        """An untrained network for the data, on the context's device. counts int64 [N]: interactions an item."""
        items = ItemEncoder(data.catalog, counts > 0, self.dim, self.id_dropout, id_scale=self.id_scale)
        network = self._network(items, ProfileEncoder(data.profiles, self.dim), counts).to(device_of(context))
        network.users.bind(data.profiles, len(data.interactions.by_user))
        return network

    def sampler(self, counts: NDArray[np.int64], generator: torch.Generator, device: str) -> NegativeSampler:
        """What draws negative items."""
        return NegativeSampler(counts, generator, self.power, self.uniform, device)

    def learn_alone(
        self,
        inner: InnerObjective,
        windows: Windows,
        validation: Evaluation,
        generator: torch.Generator,
        schedule: Schedule,
        context: Context,
    ) -> Outcome:
        """Train the inner product and nothing else, validated by exact scores."""

        def alone(batch: Batch) -> Tensor:
            drawn = inner.sampler.draw(inner.negatives)
            return inner(inner.read(batch, drawn), drawn)

        def exact() -> float:
            items = self.network_.items()
            states = self.network_.requests(validation.requests, items).state
            return validation_recall(states, items, validation)

        return fit(self.network_, windows, alone, exact, schedule, context, generators=[generator])

    def save_network(self, folder: Path) -> None:
        """Write the network and what its encoders were fitted on."""
        save_weights(folder / "weights.safetensors", self.network_)
        save_encoders(folder, self.network_.encoder, self.network_.users.profiles)

    def load_network(self, folder: Path, context: Context) -> Network:
        """Read what `save_network` wrote."""
        items, profiles = load_encoders(folder, self.dim, self.id_dropout)
        network = self._network(items, profiles, items.seen.astype(np.int64))
        load_weights(folder / "weights.safetensors", network)
        network.to(device_of(context)).eval()
        return network

    def _network(self, items: ItemEncoder, profiles: ProfileEncoder, counts: NDArray[np.int64]) -> Network:
        users = UserEncoder(profiles, self.history(), self.dim, self.length)
        return Network(items, users, self.scoring(), counts)

    def history(self) -> History:
        """What reads a history, untrained."""
        return CausalTransformer(self.dim, self.length, self.blocks, self.heads, self.dropout)

    def scoring(self) -> Scorer:
        """An untrained scorer."""
        return InnerProduct(self.dim)


@dataclass
class NetworkMethod(EncoderMethod):
    """Parameters of a `Network` with any scorer."""

    behaviours: int = param(32, help="newest items of a history that target attention looks at", low=1, high=10_000)
    scorer: str = param(
        "attention",
        help="inner: inner product; interests: its maximum over several; mol: mixture of logits; dnn: and an MLP; "
        "attention: and target attention; windows: attention within windows of time, as TDM's",
        choices=("inner", "interests", "mol", "dnn", "attention", "windows"),
    )
    hidden: int = param(
        128, help="width of the first score layer; the others have a half and a quarter", low=4, high=4096
    )
    interests: int = param(4, help="vectors a request beside the state (interests), components (mol)", low=1, high=64)
    joint: float = param(
        0.2, help="share of the whole score's gradient that teaches the user and item networks too", low=0.0, high=1.0
    )
    moments: int = param(4, help="moments of a window at which the whole score is learnt", low=1, high=10_000)

    def scoring(self) -> Scorer:
        return scorer_of(self.scorer, self.dim, self.behaviours, self.hidden, self.interests)
