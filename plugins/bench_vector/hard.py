"""Hard negatives: what a user's own search ranks high, though not at the top, and the user never met."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.windows import Batch, Windows

if TYPE_CHECKING:
    from bench_vector.tower import Towers

_CELLS = 1 << 24  # scores held at once
NONE = -1


class HardNegatives(nn.Module):
    """A few items for each user, drawn anew after each epoch from a window of the ranks of an exact search.

    Embedding-based Retrieval in Facebook Search (KDD 2020), section 6.1: ranks 101 to 500 are better than the very top,
    which holds what the user would have liked too. Each user is asked for at one random moment of a random window, and
    what the user ever met is passed over. drawn int64 (users, count), NONE where there is none yet: a buffer, so that a
    checkpoint holds it.
    """

    drawn: Tensor

    def __init__(self, users: int, count: int, first: int, last: int) -> None:
        """first, last: the ranks, from 1 on, both included."""
        super().__init__()
        self.first, self.last = first, last
        self.register_buffer("drawn", torch.full((users, count), NONE))

    def of(self, batch: Batch) -> Tensor:
        """Items int64 (B, count) of the batch's users."""
        return self.drawn[batch.users]

    def mine(self, towers: Towers, windows: Windows) -> None:
        """Search with the towers as they are; called in eval mode, without gradients."""
        items = towers.items()
        met, generator = windows.by_user, windows.generator
        asking = torch.from_numpy(np.flatnonzero(met.lengths > 0))
        for users in asking.split(max(1, _CELLS // (len(items.vectors) * towers.interests))):
            batch = windows.draw(users)
            at, _ = batch.some(1, generator)
            chosen = torch.zeros_like(batch.moments).scatter_(1, at, True)
            history = functional.embedding(batch.history.clamp(min=0), items.embeddings)
            scores = (towers.windows(batch, history, chosen) @ items.vectors.T).amax(1)  # (b, N)
            seen = met.take(users.numpy())
            scores[torch.from_numpy(seen.rows()), torch.from_numpy(seen.values.astype(np.int64))] = -torch.inf
            best = scores.topk(min(self.last, scores.shape[1]), 1)
            ranked = torch.where(best.values.isfinite(), best.indices, NONE)[:, self.first - 1 :]  # (b, ranks)
            if ranked.shape[1]:
                chosen = torch.rand(len(users), self.drawn.shape[1], generator=generator) * ranked.shape[1]
                self.drawn[users] = ranked.gather(1, chosen.long().clamp(max=ranked.shape[1] - 1).to(ranked.device))
