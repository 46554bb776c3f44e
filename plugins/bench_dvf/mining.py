"""Hard negatives: what the method's own searches answer to training requests, though it is no target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from bench import Answer, Ragged, Requests, TrainingData
from bench_neural.negatives import NegativeSampler
from bench_neural.windows import Batch, Windows

REQUESTS = 1_000  # asked after each epoch
DEPTH = 100  # items that each is asked for


class MiningWindows(Windows):
    """Windows whose epochs begin by mixing into the sampler what was mined last.

    mined (N,), a buffer of the network while it is trained, so that a checkpoint holds it: how often each item was
    answered wrongly. Negatives are then drawn by it with probability `share`, else as before, and logQ corrects for
    both: the loss keeps its expectation, and what the search gets wrong is seen more often.
    """

    def mine_into(self, sampler: NegativeSampler, network: nn.Module, share: float) -> None:
        """Name the sampler, the network that holds `mined`, and the share of negatives drawn by it."""
        network.register_buffer("mined", torch.zeros(len(sampler.log_p)))
        self.sampler, self.network, self.share = sampler, network, share

    def order(self) -> list[Tensor]:
        self.sampler.mix(self.network.get_buffer("mined"), self.share)
        return super().order()

    def mine(self, data: TrainingData, search: Callable[[Requests, int], Answer]) -> None:
        """Ask at random moments of random windows, and count the answers that the user never met."""
        drawn = torch.randint(len(self.users), (min(REQUESTS, len(self.users)),), generator=self.generator)
        batch = self.draw(self.users[drawn])
        answered = search(asked(batch, data, self.generator), DEPTH).ids
        mined = self.network.get_buffer("mined")
        mined.copy_(torch.from_numpy(np.bincount(answered[answered >= 0], minlength=len(mined))))


def asked(batch: Batch, data: TrainingData, generator: torch.Generator) -> Requests:
    """Requests at a random moment of each window, that exclude all that the user ever met: none of it is wrong."""
    window, users = batch.following.cpu().numpy(), batch.users.cpu().numpy()
    lengths = (window >= 0).sum(1)
    cuts = (torch.rand(len(window), generator=generator).numpy() * np.maximum(lengths, 1)).astype(np.int64)
    history = Ragged.from_rows([row[:cut] for row, cut in zip(window, cuts, strict=True)])
    return Requests(
        keys=users.astype(np.int64),
        users=users.astype(np.int32),
        history=Ragged(history.offsets, history.values.astype(np.int32)),
        exclude=Ragged.from_rows([np.unique(data.interactions.by_user[user]).astype(np.int32) for user in users]),
        profiles={name: feature.take(users) for name, feature in data.profiles.items()},
    )
