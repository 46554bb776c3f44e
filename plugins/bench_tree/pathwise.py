"""Training of the probabilities along a target's path: probabilistic label trees and hierarchical softmax."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from bench_neural.negatives import Candidates
from bench_tree.objective import Seekers, TreeObjective


class Pathwise(TreeObjective):
    """The children of each node on the way to a target: which of them lead on.

    loss "bce": each on its own, a child that leads to any of the moment's targets against the others (probabilistic
    label trees, Jasinska et al., ICML 2016: conditional probabilities); "softmax": one of them, by a softmax over
    siblings (hierarchical softmax, Morin and Bengio, AISTATS 2005). All levels are learnt.
    """

    def seek(self, seekers: Seekers, drawn: Candidates) -> Tensor:
        path = seekers.path  # (R, T, height + 1)
        first = torch.from_numpy(self.tree.first).to(self.device).long()
        parents = path[:, :, :-1]  # (R, T, levels)
        begin, count = first[parents], first[parents + 1] - first[parents]
        step = torch.arange(self.tree.branching, device=self.device)
        real = step < count[..., None]  # (R, T, levels, k)
        children = torch.where(real, begin[..., None] + step, begin[..., None])
        needed, place = torch.unique(children, return_inverse=True)
        table = self.network.scorer.items(self.vectors(needed))
        scores = self.network.scorer.pairs(seekers.asked, functional.embedding(place.flatten(1), table))
        scores = scores.view(children.shape)
        same = parents[:, :, None] == parents[:, None]  # (R, T, T, levels)
        weight = 1 / same.sum(2).to(scores.dtype)  # several targets below one node count once
        if self.aims.loss == "softmax":
            shares = scores.masked_fill(~real, -torch.inf).log_softmax(-1)
            each = -shares.gather(-1, (path[:, :, 1:] - begin)[..., None])[..., 0]
            return each.sum() / path[..., 0].numel()
        leads = (children[:, :, None] == path[:, None, :, 1:, None]).any(2)  # (R, T, levels, k)
        each = functional.binary_cross_entropy_with_logits(scores, leads.to(scores.dtype), reduction="none")
        return ((each * real).sum(-1) * weight).sum() / len(path)
