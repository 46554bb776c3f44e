"""DAT: towers that know something of the other side before they meet it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench_neural.encoders import ItemBias, ItemEncoder, looked_up
from bench_neural.users import UserEncoder
from bench_vector.structures import Structure
from bench_vector.tower import Items, Towers, met_mean

LARGEST = 16  # categories of a batch that are aligned
FEWEST = 8  # items that a category's covariance is made of
AUGMENTS = ("bottom", "last")


@dataclass(frozen=True, slots=True)
class Mimicry:
    """at: where the augmented vectors enter, "bottom" (a field) or "last" (a short cut to the last layer); weight: of
    their loss; alignment: of that of the categories."""

    at: str
    weight: float
    alignment: float


class AugmentedTowers(Towers):
    """A Dual Augmented Two-tower Model for Online Large-scale Recommendation (DAT, DLP-KDD 2021).

    Each side has an augmented vector that learns to be the other tower's vector of what goes with it: for a user and a
    target the loss is |a_u - v|^2 + |a_v - u|^2, where u and v are not moved (equations 4 and 5), with vectors of
    length 1. It is one more input of the own tower. The covariances of the items' vectors of the batch's categories are
    drawn to that of the largest one (equation 6). Departures: users are not known by an id, so theirs is made of the
    mean of the items met; the category is the first feature that has names.
    """

    def __init__(
        self,
        items: ItemEncoder,
        users: UserEncoder,
        bias: ItemBias | None,
        similarity: str,
        structures: tuple[Structure, Structure],
        mimicry: Mimicry,
    ) -> None:
        super().__init__(items, users, bias, similarity, structures)
        self.mimicry = mimicry
        dim = items.dim
        self.item_augmented = nn.Parameter(torch.randn_like(items.ids) * dim**-0.5)
        self.user_augmented = nn.Linear(dim, dim)
        late = mimicry.at == "last"
        self.item_late = nn.Linear(dim, structures[0].width, bias=False) if late else None
        self.user_late = nn.Linear(dim, structures[1].width, bias=False) if late else None

    def items(self, ids: Tensor | None = None) -> Items:
        assert self.item_structure is not None
        fields = self.encoder.fields(ids)
        rows = self.encoder.rows if ids is None else self.encoder.rows[ids]
        own = looked_up(rows, self.item_augmented)
        vectors = _with(fields, own, self.item_structure, self.item_late)
        return Items(fields.sum(1), self.compared_items(vectors, ids))

    def user_vectors(self, fields: Tensor) -> Tensor:
        assert self.user_structure is not None
        return _with(fields, self.user_augmented(fields[:, 2]), self.user_structure, self.user_late)

    def further(self, history: Tensor, chosen: Tensor, users: Tensor, ids: Tensor, items: Items, own: Tensor) -> Tensor:
        dim = self.encoder.dim
        guessed = self.user_augmented(met_mean(history, chosen))  # (P, d)
        mine = looked_up(self.encoder.rows[ids], self.item_augmented)  # (n, d)
        vectors = items.vectors[:, :dim]
        wanted = functional.embedding(own, vectors).detach()
        loss = _away(guessed, wanted) + _away(functional.embedding(own, mine), users[:, :dim].detach())
        return self.mimicry.weight * loss + self.mimicry.alignment * self._misaligned(ids, vectors)

    def _misaligned(self, ids: Tensor, vectors: Tensor) -> Tensor:
        """Mean squared distance of the covariances of the categories' vectors (n, d) from the largest category's."""
        categories = self.encoder.categories(ids)  # (n,), 0: unknown
        found, place, counts = torch.unique(categories, return_inverse=True, return_counts=True)
        counts = torch.where(found > 0, counts, 0)
        largest = counts.topk(min(LARGEST, len(counts))).indices
        largest = largest[counts[largest] >= FEWEST]
        if len(largest) < 2:
            return vectors.new_zeros(())
        covariances = torch.stack([torch.cov(vectors[place == one].T, correction=0) for one in largest])
        return (covariances[1:] - covariances[0]).square().sum((1, 2)).mean()


def _with(fields: Tensor, own: Tensor, structure: Structure, late: nn.Linear | None) -> Tensor:
    """The structure's vectors (n, W) of fields (n, F, d) and the augmented vector (n, d)."""
    if late is not None:
        found: Tensor = structure(fields) + late(own)
        return found
    vectors: Tensor = structure(torch.cat([fields, own[:, None]], 1))
    return vectors


def _away(guessed: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared distance of vectors (P, d) from those wanted, both at length 1."""
    return (functional.normalize(guessed, dim=1) - functional.normalize(wanted, dim=1)).square().sum(1).mean()
