"""How vectors lie on the unit sphere."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def alignment(users: Tensor, items: Tensor) -> float:
    """The mean squared distance of users (P, D) and what they found, items (P, D), at length 1: from 0, alike, to 4.

    Understanding Contrastive Representation Learning through Alignment and Uniformity on the Hypersphere (ICML 2020).
    """
    away = functional.normalize(users, dim=1) - functional.normalize(items, dim=1)
    return float(away.square().sum(1).mean())


def uniformity(vectors: Tensor) -> float:
    """log of the mean exp(-2 |x - y|^2) over pairs of vectors (n, D), n > 1, at length 1: 0 where all are alike, the
    less the more evenly they are spread (same source)."""
    away = torch.pdist(functional.normalize(vectors, dim=1)).square()
    return float(away.mul(-2).exp().mean().log())
