"""Requests and training windows as vectors: profile and history together."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Features, Requests
from bench_neural.encoders import ProfileEncoder
from bench_neural.history import History, aligned, last
from bench_neural.windows import Batch

_MOMENTS = 1 << 17  # states held at once when answering many requests


class UserEncoder(nn.Module):
    """A start vector from the profile, then the history, item by item.

    history: one of bench_neural.history's encoders; length: items of the history that are read, the newest.
    """

    codes: Tensor
    weights: Tensor

    def __init__(self, profiles: ProfileEncoder, history: History, dim: int, length: int) -> None:
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

    def forward(self, history: Tensor, codes: Tensor, weights: Tensor) -> Tensor:
        start = self.start + self.profiles(codes, weights)  # (B, d)
        states: Tensor = self.history(history, start)
        return states  # (B, L + 1, d)

    def requests(self, requests: Requests, items: Tensor) -> Tensor:
        """The state (B, d) of each request after its whole history; items (N, d): vectors of the catalog."""
        rows = max(1, _MOMENTS // (self.length + 1))
        parts = [self.read(requests[at : at + rows], items) for at in range(0, max(1, len(requests)), rows)]
        return torch.cat([last(states, lengths) for states, _, lengths in parts])

    def read(self, requests: Requests, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """All states (B, L + 1, d), the vectors (B, L, d) of the items met, and how many those are, int64 (B,)."""
        ids, lengths = aligned(requests.history, self.length)  # (B, L), (B,)
        codes, weights = self.profiles.encode(requests.profiles, len(requests))
        history = functional.embedding(torch.from_numpy(ids.clip(min=0)).to(items.device), items)  # (B, L, d)
        return self(history, codes, weights), history, torch.from_numpy(lengths).to(items.device)
