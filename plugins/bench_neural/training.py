"""The training loop: epochs of batches until validation no longer improves, and the best weights kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from bench import Context

B_co = TypeVar("B_co", covariant=True)
B = TypeVar("B")


class Epoch(Protocol[B_co]):
    """Batches of one epoch, drawn anew each time it is iterated: see windows.Windows."""

    @property
    def moments(self) -> int: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[B_co]: ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to stop and how fast to go.

    epochs: at most so many; patience: stop after so many validations without a better one; seconds: begin no batch
    after so long (0: no limit; where it stops the training, results depend on the machine's speed); learning_rate,
    weight_decay: AdamW's, the rate rising over the first `warmup` batches and falling evenly to `final` times itself
    at the end of all epochs, or of those that `seconds` allow; clip: bound of the gradient's norm.
    """

    epochs: int
    patience: int
    seconds: float
    learning_rate: float
    weight_decay: float = 0.0
    warmup: int = 50
    final: float = 1.0
    clip: float = 1.0

    def factor(self, batch: int, batches: int) -> float:
        """What the learning rate is multiplied by at batch number `batch` (from 0) of all `batches`."""
        return min(1.0, (batch + 1) / (self.warmup + 1)) * (1 - (1 - self.final) * min(1.0, batch / batches))

    def affordable(self, epochs: int, spent: float) -> int:
        """How many epochs there will be, after `epochs` of them took `spent` seconds."""
        if not self.seconds > 0:
            return self.epochs
        return min(self.epochs, max(epochs, int(self.seconds * epochs / max(spent, 1e-9))))


def passes(interactions: int, items: int) -> int:
    """Epochs that suit the data: one for eight interactions an item, 3 to 20. A sparse catalog overfits after few."""
    return min(20, max(3, round(interactions / max(1, items) / 8)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training reached: the best validation value, the epoch it was met in (1 is the first), epochs begun."""

    best: float
    best_epoch: int
    epochs: int


def fit(
    model: nn.Module,
    epoch: Epoch[B],
    loss: Callable[[B], Tensor],
    validate: Callable[[], float],
    schedule: Schedule,
    context: Context,
    measure: str = "recall@50",
) -> Outcome:
    """Minimise `loss(batch)` over the model's parameters; leaves the weights of the best validation in the model.

    `validate()` is called after each epoch with the model in evaluation mode and without gradients; larger is better.
    """
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    total = max(1, schedule.epochs * len(epoch))
    pacing = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda batch: schedule.factor(batch, total))
    began = time.monotonic()  # a limit on the work, not a measurement: the harness does the timing
    best, best_epoch, best_weights = -1.0, 0, _copy(model)
    number, done = 0, 0
    mean_loss, note = float("nan"), ""

    def out_of_time() -> bool:
        return 0 < schedule.seconds <= time.monotonic() - began

    while number < schedule.epochs and number - best_epoch < schedule.patience and not out_of_time():
        number += 1
        model.train()
        for batch in epoch:
            value = loss(batch)
            optimiser.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimiser.step()
            pacing.step()
            done += 1
            if done % 10 == 1:
                latest = float(value.detach())
                mean_loss = latest if mean_loss != mean_loss else 0.9 * mean_loss + 0.1 * latest
                spent = time.monotonic() - began
                rate = done * epoch.moments / len(epoch) / max(spent, 1e-9)
                share = max(done / total, spent / schedule.seconds if schedule.seconds > 0 else 0.0)
                text = f"epoch {number} · loss {mean_loss:.3f} · {rate:,.0f} samples/s{note}"
                context.progress(min(share, 1.0), 1.0, text)
            if out_of_time():
                break
        model.eval()
        with torch.inference_mode():
            reached = validate()
        total = max(1, schedule.affordable(number, time.monotonic() - began) * len(epoch))
        note = f" · {measure} {reached:.4f}"
        context.log.info("epoch %d: loss %.4f, validation %s %.4f", number, mean_loss, measure, reached)
        if reached > best:
            best, best_epoch, best_weights = reached, number, _copy(model)
    model.load_state_dict(best_weights)
    model.eval()
    context.progress(1.0, 1.0, f"epoch {number} · best {measure} {best:.4f} in epoch {best_epoch}")
    return Outcome(best, best_epoch, number)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
