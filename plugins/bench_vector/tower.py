"""The two towers as one network: items and requests to vectors that are compared."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench import Requests
from bench_neural.encoders import ItemBias, ItemEncoder
from bench_neural.history import aligned
from bench_neural.network import STATES_AT_ONCE
from bench_neural.users import UserEncoder
from bench_neural.windows import Batch
from bench_vector.structures import Structure

SIMILARITIES = ("inner", "cosine", "hyperbolic")
ITEMS_AT_ONCE = 1 << 16
NEAREST = 1e-6  # what -<u, v> is above 1 at least: the distance has no gradient where two points are one


class Items(NamedTuple):
    """n items. embeddings (n, d): what the user tower reads of items met; vectors (n, D): as they are compared."""

    embeddings: Tensor
    vectors: Tensor


class Towers(nn.Module):
    """An item tower and a user tower; a request has K vectors, and its best inner product with an item's is the score.

    Here K is 1. similarity: "inner", D = W, or W + 1 with a bias: items' vectors end with it and users' with a 1;
    "cosine": vectors have length 1; "hyperbolic": see `lifted`, D = W + 1. log_temperature: of what the loss divides
    scores by; a parameter where it is learnt. structures: how the vectors, W long, are made of the towers' fields (see
    structures.py), the item's and the user's; without one an item's is the sum of its fields and a user's its state.
    """

    interests = 1

    def __init__(
        self,
        items: ItemEncoder,
        users: UserEncoder,
        bias: ItemBias | None,
        similarity: str = "inner",
        structures: tuple[Structure | None, Structure | None] = (None, None),
    ) -> None:
        super().__init__()
        self.encoder = items
        self.users = users
        self.bias = bias
        self.similarity = similarity
        self.item_structure, self.user_structure = structures
        self.log_temperature = nn.Parameter(torch.zeros(()), requires_grad=False)

    def divide_by(self, temperature: float, learnt: bool) -> None:
        """What the loss divides scores by, from now on or at first."""
        self.log_temperature.data.fill_(temperature).log_()
        self.log_temperature.requires_grad_(learnt)

    def items(self, ids: Tensor | None = None) -> Items:
        """Those of `ids` int64 (n,), or of the whole bound catalog."""
        if self.item_structure is None:
            embeddings = self.encoder(ids)
            return Items(embeddings, self.compared_items(embeddings, ids))
        fields = self.encoder.fields(ids)
        return Items(fields.sum(1), self.compared_items(self.item_structure(fields), ids))

    def catalog_items(self) -> Items:
        """All of the bound catalog, a block at a time: what the layers within need stays small."""
        every = torch.arange(self.encoder.size, device=self.log_temperature.device)
        parts = [self.items(ids) for ids in every.split(ITEMS_AT_ONCE)]
        return Items(*(torch.cat(part) for part in zip(*parts, strict=True)))

    @property
    def readable(self) -> bool:
        """Whether items' vectors begin with their embeddings."""
        return self.item_structure is None and self.similarity != "cosine"

    def asked(self, history: Tensor, codes: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        """Users' vectors (P, K, D) at the chosen moments bool (B, L + 1), of which the t-th of a row has seen t items.

        history (B, L, d): embeddings of the items met, oldest first; codes, weights (B, W): the profiles.
        """
        if self.user_structure is None:
            return self.compared_users(self.users(history, codes, weights)[chosen])[:, None]
        return self.compared_users(self.user_vectors(self.user_fields(history, codes, weights, chosen)))[:, None]

    def user_fields(self, history: Tensor, codes: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        """Users' fields (P, F, d) at chosen moments, as in `asked`: the state, the newest item, the mean of the items
        met, the profile's features."""
        states = self.users(history, codes, weights)[chosen]  # (P, d)
        newest = functional.pad(history, (0, 0, 1, 0))[chosen]
        profiles = self.users.profiles.features.fields(codes, weights)[chosen.nonzero()[:, 0]]  # (P, F, d)
        return torch.cat([torch.stack([states, newest, met_mean(history, chosen)], 1), profiles], 1)

    def user_vectors(self, fields: Tensor) -> Tensor:
        """Vectors (P, W) of users' fields (P, F, d)."""
        if self.user_structure is None:
            return fields[:, 0]
        vectors: Tensor = self.user_structure(fields)
        return vectors

    def compared_items(self, vectors: Tensor, ids: Tensor | None) -> Tensor:
        """Items' vectors (n, W) as they are compared, (n, D)."""
        if self.similarity == "inner" and self.bias is not None:
            return torch.cat([vectors, self.encoder.biases(self.bias, ids)], 1)
        return lifted(vectors) if self.similarity == "hyperbolic" else self._level(vectors)

    def compared_users(self, vectors: Tensor) -> Tensor:
        """Users' vectors (..., W) as they are compared, (..., D)."""
        if self.similarity == "inner" and self.bias is not None:
            return functional.pad(vectors, (0, 1), value=1.0)
        if self.similarity == "hyperbolic":
            flipped = vectors.new_ones(vectors.shape[-1] + 1)
            flipped[-1] = -1
            return lifted(vectors) * flipped
        return self._level(vectors)

    def scored(self, products: Tensor) -> Tensor:
        """The scores of inner products of compared vectors: the same, or minus the hyperbolic distance."""
        return -torch.acosh((-products).clamp(min=1 + NEAREST)) if self.similarity == "hyperbolic" else products

    def focused(self, users: Tensor, targets: Tensor) -> Tensor:
        """The vector (P, D) of the users' (P, K, D) that learns from the targets (P, D)."""
        return users[:, 0]

    def further(self, history: Tensor, chosen: Tensor, users: Tensor, ids: Tensor, items: Items, own: Tensor) -> Tensor:
        """What is learnt beside the contrast, a loss. history, chosen: as in `asked`, users (P, D): what it gave;
        ids (n,), items: all that the batch needs, own int64 (P,): the targets' places among them."""
        return users.new_zeros(())

    def windows(self, batch: Batch, history: Tensor, chosen: Tensor) -> Tensor:
        """Users' vectors (P, K, D) of a training batch, as in `asked`."""
        return self.asked(history, self.users.codes[batch.users], self.users.weights[batch.users], chosen)

    def requests(self, requests: Requests, embeddings: Tensor) -> Tensor:
        """Users' vectors (B, K, D); embeddings (N, d): the catalog's."""
        step = max(1, STATES_AT_ONCE // (self.users.length + 1))
        some = (requests[at : at + step] for at in range(0, max(1, len(requests)), step))
        return torch.cat([self.asked(*self.read(part, embeddings)) for part in some])

    def read(self, requests: Requests, embeddings: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What `asked` takes, of requests: the one chosen moment of each comes after its whole history."""
        ids, lengths = aligned(requests.history, self.users.length)
        device = embeddings.device
        codes, weights = self.users.profiles.encode(requests.profiles, len(requests))
        history = functional.embedding(torch.from_numpy(ids.clip(min=0)).to(device), embeddings)  # (B, L, d)
        place = torch.arange(ids.shape[1] + 1, device=device)
        return history, codes, weights, place == torch.from_numpy(lengths).to(device)[:, None]

    def _level(self, vectors: Tensor) -> Tensor:
        return functional.normalize(vectors, dim=-1) if self.similarity == "cosine" else vectors


def lifted(vectors: Tensor) -> Tensor:
    """Points (..., W + 1) of the hyperboloid over vectors (..., W): (x, sqrt(1 + |x|^2)).

    With the last number of one side negated, inner products are Lorentz products <u, v>, at most -1, and
    arcosh(-<u, v>) is the hyperbolic distance (Nickel and Kiela, Learning Continuous Hierarchies in the Lorentz Model
    of Hyperbolic Geometry, ICML 2018, equations 1 and 5): it falls as they rise, so an index of inner products serves.
    """
    return torch.cat([vectors, (1 + vectors.square().sum(-1, keepdim=True)).sqrt()], -1)


def met_mean(history: Tensor, chosen: Tensor) -> Tensor:
    """The mean (P, d) of the items met before each chosen moment bool (B, L + 1), zero of none; history (B, L, d)."""
    sums = functional.pad(history.cumsum(1), (0, 0, 1, 0))[chosen]
    return sums / chosen.nonzero()[:, 1:].clamp(min=1)


def met_before(history: Tensor, chosen: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The `length` newest items met before each chosen moment, newest first, (P, L, d), and which are there, (P, L)."""
    rows, at = chosen.nonzero(as_tuple=True)  # (P,)
    place = at[:, None] - torch.arange(1, min(history.shape[1], length) + 1, device=at.device)  # (P, L)
    return history[rows[:, None], place.clamp(min=0)], place >= 0
