"""Requests and training windows as vectors: profile and history together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Features, Requests
from bench_neural.encoders import ProfileEncoder
from bench_neural.history import History, aligned
from bench_neural.windows import Batch


class UserEncoder(nn.Module):
    """A start vector from the profile, then the history, item by item.

    history: one of bench_neural.history's encoders, None where something else reads what `started` begins; length:
    items of the history that are read, the newest.
    """

    codes: Tensor
    weights: Tensor

    def __init__(self, profiles: ProfileEncoder, history: History | None, dim: int, length: int) -> None:
        super().__init__()
        self.profiles = profiles
        self.history = history
        self.length = length
        self.start = nn.Parameter(torch.zeros(dim))

    def bind(self, profiles: Features, users: int) -> None:
        """Name the training users' profiles (a feature of `users` rows each), which `windows` refers to."""
        codes, weights = self.profiles.encode(profiles, users)
        self.register_buffer("codes", codes, persistent=False)
        self.register_buffer("weights", weights, persistent=False)

    def windows(self, batch: Batch, history: Tensor) -> Tensor:
        """States (B, L + 1, d) of every moment of a batch; history (B, L, d): vectors of batch.history."""
        return self(history, self.codes[batch.users], self.weights[batch.users])

    def started(self, codes: Tensor, weights: Tensor) -> Tensor:
        """Start vectors (B, d)."""
        return self.start + self.profiles(codes, weights)

    def forward(self, history: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
        assert self.history is not None
        states: Tensor = self.history(history, self.started(codes, weights))
        return states  # (B, L + 1, d)

    def read(self, requests: Requests, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All states (B, L + 1, d), the vectors (B, L, d) of the items met, and how many those are, int64 (B,)."""
        ids, lengths = aligned(requests.history, self.length)  # (B, L), (B,)
        codes, weights = self.profiles.encode(requests.profiles, len(requests))
        history = functional.embedding(torch.from_numpy(ids.clip(min=0)).to(items.device), items)  # (B, L, d)
        return self(history, codes, weights), history, torch.from_numpy(lengths).to(items.device)
