"""Training batches: random windows of the users' sequences, and what each of their moments should find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bench import Interactions, Ragged
from bench_neural.history import from_left

TARGETS = 8  # drawn for a moment that has several


@dataclass(frozen=True, slots=True)
class Batch:
    """B windows of at most L + 1 items each.

    users int64 (B,): rows of the training users; history int64 (B, L): what was met, oldest first, -1 after the end;
    targets int64 (B, L + 1): targets[b, t] should be found after the first t items of history[b], -1 for no moment;
    following int64 (B, L + 1): all items of the window, following[b, t:] being those still to come at moment t.
    """

    users: Tensor
    history: Tensor
    targets: Tensor
    following: Tensor

    def __len__(self) -> int:
        """Moments to learn from."""
        return int((self.targets >= 0).sum())

    @property
    def moments(self) -> Tensor:
        """bool (B, L + 1): where there is something to find."""
        return self.targets >= 0

    def some(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """`count` random moments int64 (B, M) of each window (or all, of a short one), and which are any, bool."""
        order = torch.rand(self.targets.shape, generator=generator).to(self.targets.device)
        chance, at = order.masked_fill(~self.moments, -1.0).topk(min(count, order.shape[1]), 1)
        return at, chance >= 0

    def later(self, at: Tensor, count: int, share: float, generator: torch.Generator) -> Tensor:
        """`count` targets int64 (B, M, count) of the moments at int64 (B, M), each drawn as `targets` are: with
        probability `share` any item that comes after the moment, else the next; -1 after the window's end."""
        place = _drawn(self.following, at[:, :, None].expand(-1, -1, count), share, generator)
        return self.following.gather(1, place.flatten(1)).view(*at.shape, count)


class Windows:
    """An epoch of batches: each user brings n / length windows, each beginning at a random place of the sequence.

    later: the share of targets drawn evenly from all items that come after the moment within the window, rather than
    being the very next item. Requests with many targets ask for what comes later; a request for the next item asks for
    later=0. Windows of like length share a batch.
    """

    def __init__(
        self,
        interactions: Interactions,
        length: int,
        later: float,
        batch: int,
        generator: torch.Generator,
        device: str = "cpu",
    ) -> None:
        self.by_user = interactions.by_user
        self.length = length
        self.later = later
        self.batch = batch
        self.generator = generator
        self.device = device
        sizes = torch.from_numpy(np.asarray(self.by_user.lengths))
        pieces = torch.where(sizes > 0, torch.div(sizes + length, length + 1, rounding_mode="floor"), 0)
        self.users = torch.repeat_interleave(torch.arange(len(sizes)), pieces)  # (windows,)
        self.sizes = sizes

    @property
    def moments(self) -> int:
        """Moments in one epoch."""
        return int(torch.clamp(self.sizes[self.users], max=self.length + 1).sum())

    def __len__(self) -> int:
        """Batches in one epoch."""
        return -(-len(self.users) // self.batch)

    def __iter__(self) -> Iterator[Batch]:
        return map(self.draw, self.order())

    def order(self) -> list[Tensor]:
        """The users (B,) of each batch of an epoch, as `draw` takes them."""
        shuffled = self.users[torch.randperm(len(self.users), generator=self.generator)]
        batches: list[Tensor] = []
        for group in shuffled.split(self.batch * 16):  # sorting a few batches' worth by length saves padding
            by_length = group[torch.argsort(self.sizes[group].clamp(max=self.length + 1), stable=True)]
            parts = by_length.split(self.batch)
            batches += [parts[at] for at in torch.randperm(len(parts), generator=self.generator).tolist()]
        return batches

    def draw(self, users: Tensor) -> Batch:
        """One random window of each of `users` int64 (B,)."""
        sizes = self.sizes[users]
        room = (sizes - self.length - 1).clamp(min=0)
        begin = self._below(room + 1)
        end = torch.minimum(begin + self.length + 1, sizes)
        offsets = self.by_user.offsets[users.numpy()]
        window, _ = from_left(self.by_user.values, offsets + begin.numpy(), offsets + end.numpy())
        items = torch.from_numpy(window)  # (B, L + 1)
        moment = torch.arange(items.shape[1]).expand_as(items)  # (B, L + 1)
        place = _drawn(items, moment, self.later, self.generator).clamp(max=items.shape[1] - 1)
        targets = torch.where(items >= 0, items.gather(1, place), -1)
        return Batch(*(part.to(self.device) for part in (users, items[:, :-1].contiguous(), targets, items)))

    def _below(self, limits: Tensor) -> Tensor:
        """Uniform integers in [0, limit)."""
        draws = torch.rand(limits.shape, generator=self.generator, dtype=torch.float64)
        return torch.minimum((draws * limits).long(), limits - 1)


def _drawn(following: Tensor, at: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Places in following (B, L + 1) of what moments int64 (B, ...) should find: with probability `share` anything from
    there on, else what comes next; beyond the row's end where nothing is left."""
    flat = at.flatten(1)
    left = ((following >= 0).sum(1, keepdim=True) - flat).clamp(min=1)  # (B, n)
    draws = torch.rand((2, *flat.shape), generator=generator).to(at.device)
    jump = torch.minimum((draws[0] * left).long(), left - 1) * (draws[1] < share)
    return (flat + jump).view(at.shape)


def later_share(asked: float, targets: Ragged) -> float:
    """The share of later targets `asked` for; where that is negative, one half if requests have several targets.

    targets: those of the validation requests. A request that has one target asks for the next item.
    """
    if asked >= 0:
        return asked
    return 0.5 if (targets.lengths > 1).any() else 0.0


def expected_targets(following: Tensor, moments: Tensor, later: float) -> Tensor:
    """The mean vector of what `Windows` may draw as each moment's target: following and result (B, L + 1, d).

    A score that is linear in the item's vector has this expectation for the same `later`, without the noise of a draw.
    """
    following = following * moments[..., None]
    rest = following.flip(1).cumsum(1).flip(1)  # sum over the items still to come
    count = moments.flip(1).cumsum(1).flip(1).clamp(min=1)  # (B, L + 1)
    return (1 - later) * following + later * rest / count[..., None]
