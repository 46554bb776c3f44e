"""Item network, user network and the scorer that compares them: what DVF and the trees learn."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench import Requests
from bench_neural.encoders import ItemBias, ItemEncoder
from bench_neural.scorers import Asked, Scorer, joined
from bench_neural.users import UserEncoder

STATES_AT_ONCE = 1 << 17  # bounds the memory of many requests' states


class Network(nn.Module):
    """Items to vectors, requests to what the scorer asks with.

    The item network is an MLP beside a shortcut over the embeddings of id and side information; its vectors are what
    the user network reads, what attention looks at, and what an index is built over. counts int64 [N]: training
    interactions of the training catalog's items.
    """

    def __init__(self, encoder: ItemEncoder, users: UserEncoder, scorer: Scorer, counts: NDArray[np.int64]) -> None:
        super().__init__()
        self.encoder, self.users, self.scorer = encoder, users, scorer
        self.bias = ItemBias(counts)
        dim = encoder.dim
        self.refine = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        nn.init.zeros_(self.refine[-1].weight)

    def items(self, ids: Tensor | None = None) -> Tensor:
        """The vectors (n, d + 1) of `ids` int64 (n,), or of the whole bound catalog; the last number is the bias."""
        embedded = self.encoder(ids)
        return torch.cat([embedded + self.refine(embedded), self.encoder.biases(self.bias, ids)], 1)

    def requests(self, requests: Requests, items: Tensor) -> Asked:
        """What the scorer computes from the requests; items (N, d + 1): what `items` gave for the catalog."""
        step = max(1, STATES_AT_ONCE // (self.users.length + 1))
        some = [self._requests(requests[at : at + step], items) for at in range(0, max(1, len(requests)), step)]
        return joined(some)

    def _requests(self, requests: Requests, items: Tensor) -> Asked:
        states, history, lengths = self.users.read(requests, items[:, : self.scorer.dim])
        return self.moments(lengths[:, None], states, history)

    def moments(self, at: Tensor, states: Tensor, history: Tensor) -> Asked:
        """What the scorer computes at M moments of each of B histories, row by row B * M.

        at int64 (B, M): items met before; states (B, L + 1, d): the user network's; history (B, L, d): vectors of the
        items met.
        """
        rows, count, dim = *at.shape, states.shape[2]
        state = states.gather(1, at[:, :, None].expand(-1, -1, dim)).view(rows * count, dim)  # (B * M, d)
        back = torch.arange(1, self.scorer.behaviours + 1, device=at.device)  # (W,), newest first
        place = at[:, :, None] - back  # (B, M, W)
        ages = torch.where(place >= 0, back, 0).flatten(0, 1)
        length = history.shape[1]
        if length == 0:
            return self.scorer.asked(state, self.scorer.met(state.new_zeros(rows * count, len(back), 2 * dim)), ages)
        met = torch.cat([history, states[:, 1 : length + 1]], 2)  # (B, L, 2d)
        place = place.clamp(min=0).flatten(1)[:, :, None]  # (B, M * W, 1)
        shared = place.shape[1] > length  # several moments look at the same behaviour
        met = self.scorer.met(met) if shared else met
        met = met.gather(1, place.expand(-1, -1, met.shape[2]))
        met = met if shared else self.scorer.met(met)
        return self.scorer.asked(state, met.view(rows * count, len(back), met.shape[2]), ages)
