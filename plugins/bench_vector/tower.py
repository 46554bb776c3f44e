"""The two towers as one network, and what it is trained to do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemBias, ItemEncoder
from bench_neural.losses import (
    binary_cross_entropy,
    full_softmax,
    gbce_exponent,
    hinge,
    pairwise_logistic,
    sampled_softmax,
)
from bench_neural.negatives import Candidates, NegativeSampler, StreamingFrequency, in_batch, mixed, owned
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch, expected_targets
from bench_vector.hard import HardNegatives


class Towers(nn.Module):
    """An item tower and a user tower whose vectors are compared by inner product.

    bias: of the items; their vectors end with it and users' vectors with a 1, so D = d + 1, else D = d. normalise:
    vectors are compared at length 1, so that the inner product is the cosine. The user tower reads the item tower's
    embeddings (N, d), the vectors without bias and length. log_temperature: of what the loss divides scores by; a
    parameter where it is learnt.
    """

    def __init__(
        self,
        items: ItemEncoder,
        users: UserEncoder,
        bias: ItemBias | None,
        normalise: bool,
        temperature: float = 1.0,
        learnt: bool = False,
    ) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log(), requires_grad=learnt)
        self.encoder = items
        self.users = users
        self.bias = bias
        self.normalise = normalise

    def items(self, ids: Tensor | None = None) -> Tensor:
        """Vectors (n, D) of `ids` int64 (n,), or of the whole bound catalog, not yet comparable."""
        embeddings = self.encoder(ids)
        if self.bias is None:
            return embeddings
        return torch.cat([embeddings, self.encoder.biases(self.bias, ids)], 1)

    def embeddings(self, items: Tensor) -> Tensor:
        """What the user tower reads, (n, d), of what `items` gave."""
        return items[:, : self.encoder.dim]

    def comparable(self, vectors: Tensor) -> Tensor:
        """Item or user vectors (n, D) as they are compared: what the loss sees, what the index holds."""
        return functional.normalize(vectors, dim=-1) if self.normalise else vectors

    def comparable_users(self, states: Tensor) -> Tensor:
        """Users' vectors (B, D) as they are compared, from the user tower's states (B, d)."""
        return self.comparable(states if self.bias is None else functional.pad(states, (0, 1), value=1.0))

    def requests(self, requests: Requests, items: Tensor) -> Tensor:
        """Comparable vectors (B, D) of requests; items (N, D): what `items` gave for the catalog."""
        return self.comparable_users(self.users.requests(requests, self.embeddings(items)))


@dataclass(frozen=True, slots=True)
class Aims:
    """What a target is contrasted with, and how.

    loss: softmax, bce, gbce, bpr or hinge; against: catalog (all items, softmax only), drawn (`negatives` items a
    batch), batch (the batch's own targets) or mixed (both); correction of the softmax for how often items come up: logq
    (Bengio and Senecal 2008), revised (the target itself is not corrected, as it is not drawn), streaming (as logq, by
    a moving estimate; batch only) or none; later: as in Windows; margin: of hinge; calibration: t of gbce; hard: what
    each hard negative counts where there are some, in drawn ones, without a correction.
    """

    loss: str
    against: str
    correction: str
    negatives: int
    later: float
    margin: float
    calibration: float
    hard: float


class Objective:
    """The loss of one batch of windows. sampler: what draws items; frequency: a sampler of power 1, that knows how
    often each item is a target."""

    def __init__(
        self,
        towers: Towers,
        aims: Aims,
        sampler: NegativeSampler,
        frequency: NegativeSampler,
        hard: HardNegatives | None = None,
    ) -> None:
        """hard: further negatives of each user; they and what else the loss remembers are part of the network while it
        is trained, so that a checkpoint holds it."""
        self.towers, self.aims, self.sampler, self.frequency = towers, aims, sampler, frequency
        self.hard = towers.hard = hard
        if aims.correction == "streaming":
            towers.streaming = StreamingFrequency(len(frequency.log_p)).to(frequency.device)

    def __call__(self, batch: Batch) -> Tensor:
        return self._over_catalog(batch) if self.aims.against == "catalog" else self._over_candidates(batch)

    def learnt(self) -> None:
        """What training alone needs is forgotten."""
        del self.towers.hard
        if self.aims.correction == "streaming":
            del self.towers.streaming

    def candidates(self, targets: Tensor) -> tuple[Candidates, Tensor]:
        """What the targets int64 (P,) are contrasted with, and by what their own scores are lowered (P,)."""
        aims = self.aims
        own = self.frequency.log_q(targets, len(targets))
        if aims.against == "drawn":
            found, own = self.sampler.draw(aims.negatives), self.sampler.log_q(targets, aims.negatives)
        elif aims.against == "mixed":
            found = mixed(targets, self.frequency, self.sampler, aims.negatives)
            own = torch.logaddexp(own, self.sampler.log_q(targets, aims.negatives))
        else:
            found = in_batch(targets, self.frequency)
        if aims.correction == "streaming":
            streaming = self.towers.streaming
            streaming.meet(found.ids)
            found = Candidates(found.ids, torch.ones_like(found.times), streaming.log_p(found.ids))
            own = streaming.log_p(targets)
        elif aims.correction == "none":
            found = Candidates(found.ids, found.times, -found.times.log())
        return found, own if aims.correction in ("logq", "streaming") else torch.zeros_like(own)

    def contrast(self, scores: Tensor, others: Tensor, own: Tensor, found: Candidates, blocked: Tensor) -> Tensor:
        """The loss of targets' scores (P,) against the candidates' (P, S)."""
        aims, tau = self.aims, self.towers.log_temperature.exp()
        if aims.loss == "softmax":
            return sampled_softmax(scores, others, own, found.log_q, blocked, tau)
        weights = found.times * ~blocked  # (P, S)
        if aims.loss == "bpr":
            return pairwise_logistic(scores, others, weights, tau)
        if aims.loss == "hinge":
            return hinge(scores, others, weights, aims.margin, tau)
        if aims.loss == "bce":
            return binary_cross_entropy(scores, others, weights, tau)
        drawn = int(found.times.sum())
        exponent = gbce_exponent(drawn, len(self.frequency.known), aims.calibration)
        return binary_cross_entropy(scores, others, weights, tau, drawn, exponent)

    def _over_catalog(self, batch: Batch) -> Tensor:
        items = self.towers.items()  # (N, D)
        states, moments = self._states(batch, batch.history.clamp(min=0), items)
        vectors = self.towers.comparable(items)
        following = functional.embedding(batch.following.clamp(min=0), vectors)  # (B, L + 1, D)
        wanted = expected_targets(following, moments, self.aims.later)[moments]  # (P, D)
        known = functional.embedding(self.frequency.known, vectors)
        return full_softmax(states, known, (states * wanted).sum(1), self.towers.log_temperature.exp())

    def _over_candidates(self, batch: Batch) -> Tensor:
        targets = batch.targets[batch.moments]  # (P,)
        found, own = self.candidates(targets)
        hard = None if self.hard is None else self.hard.of(batch)  # (B, H)
        met = [batch.following[batch.moments], found.ids] + ([] if hard is None else [hard[hard >= 0]])
        needed = torch.unique(torch.cat(met))  # (n,)
        items = self.towers.items(needed)  # (n, D)
        states, moments = self._states(batch, torch.searchsorted(needed, batch.history), items)
        vectors = self.towers.comparable(items)
        target_vectors = functional.embedding(torch.searchsorted(needed, targets), vectors)  # (P, D)
        target_scores = (states * target_vectors).sum(1)  # (P,)
        scores = states @ functional.embedding(torch.searchsorted(needed, found.ids), vectors).T  # (P, S)
        rows = moments.nonzero()[:, 0]
        blocked = owned(batch.following, found.ids)[rows]  # (P, S)
        if hard is not None:
            place = torch.searchsorted(needed, hard).clamp(max=len(needed) - 1)
            harder = torch.bmm(vectors[place][rows], states[:, :, None])[:, :, 0]  # (P, H)
            scores, blocked = torch.cat([scores, harder], 1), torch.cat([blocked, (hard < 0)[rows]], 1)
            found = found.joined(hard.shape[1], self.aims.hard)
        return self.contrast(target_scores, scores, own, found, blocked)

    def _states(self, batch: Batch, history: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """Comparable user vectors (P, D) of all moments, and the moments' mask.

        history (B, L): places in `items` (n, D) of the items met.
        """
        met = functional.embedding(history, self.towers.embeddings(items))  # (B, L, d)
        states = self.towers.users.windows(batch, met)  # (B, L + 1, d)
        moments = batch.moments
        return self.towers.comparable_users(states[moments]), moments
