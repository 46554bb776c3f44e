"""Approximate search by a mixture of logits: each component's own neighbours, put in order by the whole score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench_neural.scorers import Asked, MixtureOfLogits
from bench_vector.backends import Backend, Effort, Found, Ids, Vectors

_CELLS = 1 << 22  # numbers of candidates held at once


@dataclass(frozen=True, slots=True)
class Mixture:
    """A backend over K indexes, one of each component's vectors.

    The score is s = sum_k g_k s_k with gates g that sum to 1, s_k the component's inner product and the item's bias. So
    what stands in no component's list scores at most the largest of the lists' last values: with the k best at or above
    that, the answer is exact (Efficient Retrieval with Learned Similarities, WWW 2025, algorithms 1 and 2; "top-k per
    embedding" with the two-stage retrieval of MoL, KDD 2023). table (C, width): the scorer's item side.
    """

    ids: Ids
    scorer: MixtureOfLogits
    table: Tensor
    components: tuple[Backend, ...]

    def nearest(self, users: Vectors, k: int, effort: Effort, threads: int) -> Found:
        """users float32 [B, K (d + 1)]: see `asking`. Each component is asked for `refine` candidates for each
        neighbour; spent are the candidates that the whole score is computed of."""
        depth = min(len(self.ids), k * effort.refine)
        parts, gates = told(users, self.scorer)
        lists = []
        for component, part in zip(self.components, np.moveaxis(parts, 1, 0), strict=True):
            asked = np.ascontiguousarray(np.pad(part, ((0, 0), (0, 1)), constant_values=1))  # (B, d + 1)
            lists.append(component.nearest(asked, depth, effort, threads).positions)
        candidates = _once(np.concatenate(lists, 1))  # (B, C)
        positions = np.full((len(users), k), -1, np.int64)
        scores = np.full((len(users), k), -np.inf, np.float32)
        step = max(1, _CELLS // (candidates.shape[1] * self.table.shape[1]))
        for rows in (slice(at, at + step) for at in range(0, len(users), step)):
            near = candidates[rows]
            met = self.scorer.pairs(
                Asked(torch.empty(len(near), 0), (torch.from_numpy(parts[rows]), torch.from_numpy(gates[rows]))),
                self.table[torch.from_numpy(np.maximum(near, 0))],
            ).numpy()
            met = np.where(near >= 0, met, np.float32(-np.inf))
            order = np.argsort(-met, 1, kind="stable")[:, :k]
            best = order.shape[1]
            positions[rows, :best] = np.take_along_axis(near, order, 1)
            scores[rows, :best] = np.take_along_axis(met, order, 1)
        return Found(positions, scores, int(np.count_nonzero(candidates >= 0)))

    def save(self, folder: Path) -> None:
        for at, component in enumerate(self.components):
            part = component_folder(folder, at)
            part.mkdir()
            component.save(part)


def component_folder(folder: Path, at: int) -> Path:
    """Where a component's index lies."""
    return folder / f"component{at}"


def component_vectors(scorer: MixtureOfLogits, table: Tensor) -> list[Vectors]:
    """Each component's vectors float32 [C, d + 1] of the scorer's item side (C, width), the bias at their end."""
    vectors, _, bias = scorer.split(table)
    return [torch.cat([vectors[:, at], bias[:, None]], 1).numpy() for at in range(scorer.interests)]


def asking(asked: Asked) -> Vectors:
    """The scorer's request side as one row of numbers a request, float32 [B, K (d + 1)]."""
    parts, gates = asked.parts
    return torch.cat([parts.flatten(1), gates], 1).numpy()


def told(users: Vectors, scorer: MixtureOfLogits) -> tuple[Vectors, Vectors]:
    """The inverse of `asking`: parts [B, K, d] and gates [B, K]."""
    wide = scorer.interests * scorer.dim
    return users[:, :wide].reshape(len(users), scorer.interests, scorer.dim), users[:, wide:]


def _once(positions: np.ndarray) -> np.ndarray:
    """Each row's positions int64 [B, C] ascending, -1 in place of what is there already."""
    positions = np.sort(positions, 1)
    positions[:, 1:][positions[:, 1:] == positions[:, :-1]] = -1
    return positions
