"""The network of DVF: item network, user network and the scorer that compares them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemEncoder
from bench_neural.history import aligned
from bench_neural.scorers import Asked, TargetAttentionScorer
from bench_neural.users import UserEncoder


class Network(nn.Module):
    """Items to vectors, requests to what the scorer asks with.

    The item network is an MLP beside a shortcut over the embeddings of id and side information; its vectors are what
    the user network reads, what attention looks at, and what the graph is built over.
    """

    def __init__(self, encoder: ItemEncoder, users: UserEncoder, scorer: TargetAttentionScorer) -> None:
        super().__init__()
        self.encoder, self.users, self.scorer = encoder, users, scorer
        dim = encoder.dim
        self.refine = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))
        self.bias = nn.Parameter(torch.zeros(len(encoder.ids), 1))
        nn.init.zeros_(self.refine[-1].weight)

    def start(self, counts: NDArray[np.int64], id_scale: float) -> None:
        """Begin small, with the training items' log frequency (counts int64 [N]) as their bias.

        Side information then speaks before the items' own embeddings, which take more passes to learn.
        """
        with torch.no_grad():
            self.encoder.ids.mul_(id_scale)
            seen = torch.from_numpy(counts[counts > 0]).float().log()
            self.bias[1:, 0] = (seen - seen.mean()).to(self.bias.device)
            self.bias[0] = self.bias.min()

    def items(self, ids: Tensor | None = None) -> Tensor:
        """The vectors (n, d + 1) of `ids` int64 (n,), or of the whole bound catalog; the last number is the bias."""
        embedded = self.encoder(ids)
        rows = self.encoder.rows if ids is None else self.encoder.rows[ids]
        vectors = embedded + self.refine(embedded)  # (n, d)
        return torch.cat([vectors, functional.embedding(rows, self.bias)], 1)

    def requests(self, requests: Requests, items: Tensor) -> Asked:
        """What the scorer computes from the requests; items (N, d + 1): what `items` gave for the catalog."""
        items = items[:, : self.scorer.dim]
        ids, lengths = aligned(requests.history, self.scorer.behaviours)  # (B, L), (B,)
        ages = torch.from_numpy(lengths[:, None]).to(items.device) - torch.arange(ids.shape[1], device=items.device)
        behaviours = functional.embedding(torch.from_numpy(ids.clip(min=0)).to(items.device), items)  # (B, L, d)
        return self.scorer.asked(self.users.requests(requests, items), behaviours, ages)

    def moments(self, at: Tensor, states: Tensor, history: Tensor) -> Asked:
        """The same for moments of training windows.

        at int64 (B, M): M moments of each window; states (B, L + 1, d): the user network's; history (B, L, d): item
        vectors of the windows. Gives B * M rows, window by window.
        """
        rows, count, dim = *at.shape, states.shape[2]
        state = states.gather(1, at[:, :, None].expand(-1, -1, dim)).view(rows * count, dim)  # (B * M, d)
        back = torch.arange(1, min(history.shape[1], self.scorer.behaviours) + 1, device=at.device)  # (W,)
        place = at[:, :, None] - back  # (B, M, W), newest first
        ages = torch.where(place >= 0, back, 0).view(rows * count, -1)
        place = place.clamp(min=0).view(rows, -1, 1)  # (B, M * W, 1)
        behaviours = history.gather(1, place.expand(-1, -1, dim)).view(rows * count, -1, dim)
        return self.scorer.asked(state, behaviours, ages)
