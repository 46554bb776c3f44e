"""The training loop: epochs of batches until validation no longer improves, and the best weights kept.

A training that is interrupted goes on from its checkpoint, with the digits of one that was not.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench import Context
from bench_neural.checkpoint import Chance, Checkpoint
from bench_neural.optimiser import Optimiser

GRACE = 0.05  # of the time allowed: a slow first batch is no reason to let clocks decide digits

B_co = TypeVar("B_co", covariant=True)
B = TypeVar("B")


class Epoch(Protocol[B_co]):
    """Batches of one epoch, drawn anew each time: see windows.Windows.

    `order()` says what each batch is of, `draw(one)` makes that batch. Both are random through generators that `fit` is
    told of, so that an epoch can be taken up in its middle.
    """

    @property
    def moments(self) -> int: ...
    def __len__(self) -> int: ...
    def order(self) -> Sequence[Any]: ...
    def draw(self, one: Any, /) -> B_co: ...


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to stop and how fast to go.

    epochs: at most so many; patience: stop after so many validations without a better one; seconds: begin no batch
    after so long, what compiling takes at first use included (0: no limit; where it stops the training, results depend
    on the machine's speed); learning_rate, weight_decay: AdamW's, the rate rising over the first
    `warmup` batches and falling evenly to `final` times itself at the end of all epochs, or of those that `seconds`
    allow; clip: bound of the gradient's norm; tables_rate: the learning rate of tables with sparse gradients (0:
    learning_rate).
    """

    epochs: int
    patience: int
    seconds: float
    learning_rate: float
    weight_decay: float = 0.0
    warmup: int = 50
    final: float = 1.0
    clip: float = 1.0
    tables_rate: float = 0.0

    def factor(self, batch: int, batches: int, spent: float = 0.0) -> float:
        """What the learning rate is multiplied by at batch number `batch` (from 0) of all `batches`.

        spent: seconds so far. Where they will not last for all batches, they decide how far the rate has fallen; where
        they will, the rate does not depend on them.
        """
        late = (spent / self.seconds - GRACE) / (1 - GRACE) if self.seconds > 0 else 0.0
        share = max(batch / batches, late)
        return min(1.0, (batch + 1) / (self.warmup + 1)) * (1 - (1 - self.final) * min(1.0, share))


def passes(interactions: int, items: int) -> int:
    """Epochs that suit the data: one for eight interactions an item, 3 to 20. A sparse catalog overfits after few."""
    return min(20, max(3, round(interactions / max(1, items) / 8)))


class Paced(Protocol):
    """A method with the parameters of a Schedule; epochs: 0 for as many as suit the data."""

    epochs: int
    patience: int
    seconds: float
    learning_rate: float
    weight_decay: float


def scheduled(method: Paced, counts: NDArray[np.int64]) -> Schedule:
    """The schedule of a method's parameters; the rate falls to a twentieth. counts int64 [N]: interactions an item."""
    return Schedule(
        epochs=method.epochs or passes(int(counts.sum()), int(np.count_nonzero(counts))),
        patience=method.patience,
        seconds=method.seconds,
        learning_rate=method.learning_rate,
        weight_decay=method.weight_decay,
        final=0.05,
    )


def shared_out(whole: Schedule, count: int) -> list[Schedule]:
    """The schedules of `count` trainings that share out the epochs, each at least one, and the seconds of `whole`."""
    epochs = np.diff([whole.epochs * at // count for at in range(count + 1)]).tolist()
    return [dataclasses.replace(whole, epochs=max(1, one), seconds=whole.seconds / count) for one in epochs]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training reached: the best validation value, the epoch it was met in (1 is the first), epochs begun."""

    best: float
    best_epoch: int
    epochs: int


@dataclass(slots=True)
class _Course:
    """How far a training is. epoch: begun, the first is 1; batch: done in this epoch, 0 between two; done: in all;
    total: planned in all; seconds: spent by processes before this one."""

    total: int
    epoch: int = 0
    batch: int = 0
    done: int = 0
    best: float = -1.0
    best_epoch: int = 0
    loss: float = float("nan")
    seconds: float = 0.0


def fit(
    model: nn.Module,
    epoch: Epoch[B],
    loss: Callable[[B], Tensor],
    validate: Callable[[], float],
    schedule: Schedule,
    context: Context,
    measure: str = "recall@50",
    generators: Sequence[torch.Generator] = (),
) -> Outcome:
    """Minimise `loss(batch)` over the model's parameters; leaves the weights of the best validation in the model.

    `validate()` is called after each epoch with the model in evaluation mode and without gradients; larger is better,
    nan says nothing: no epoch is better or worse, and the last weights are kept.
    generators: all that batches and loss draw from, besides torch's global one and context.rng; whatever else the loss
    remembers must be a persistent buffer of the model, or a resumed training will differ. Parameters (N, d) whose
    gradients are sparse are moved row by row, at the schedule's `tables_rate` (see `optimiser.RowAdam`).
    """
    rate = schedule.learning_rate
    optimiser = Optimiser(model, rate, schedule.tables_rate or rate, schedule.weight_decay, schedule.clip)
    chance, checkpoint = Chance(generators, context), Checkpoint(context.checkpoint)
    course = _Course(total=max(1, schedule.epochs * len(epoch)))
    began = time.monotonic()  # a limit on the work, not a measurement: the harness does the timing
    best: dict[str, Tensor] = {}
    order: Sequence[Any] = ()
    start = chance.tensors()
    note = ""

    saved = checkpoint.read(context)
    if saved is not None:
        course, start, best = _Course(**saved.facts), saved.part("start"), saved.part("best")
        model.load_state_dict(saved.part("weights"))
        optimiser.restore(saved.part("optimiser"))
        if course.batch:
            chance.restore(start)
            order = epoch.order()
        chance.restore(saved.part("chance"))
        context.log.info("training goes on in epoch %d, after %d batches in all", course.epoch, course.done)

    def spent() -> float:
        return course.seconds + time.monotonic() - began

    def out_of_time() -> bool:
        return 0 < schedule.seconds <= spent()

    def keep() -> None:
        if checkpoint.due():
            facts = dataclasses.asdict(dataclasses.replace(course, seconds=spent()))
            parts = {"weights": model.state_dict(), "best": best, "optimiser": dict(optimiser.tensors())}
            checkpoint.write({**parts, "chance": chance.tensors(), "start": start}, facts)

    def goes_on() -> bool:
        patient = course.epoch - course.best_epoch < schedule.patience
        return course.epoch < schedule.epochs and patient and not out_of_time()

    while course.batch or goes_on():
        if not course.batch:
            course.epoch += 1
            start, order = chance.tensors(), epoch.order()
        model.train()
        for one in order[course.batch :]:
            if out_of_time():
                break
            value = loss(epoch.draw(one))
            optimiser.step(value, schedule.factor(course.done, course.total, spent()))
            course.batch += 1
            course.done += 1
            if course.done % 10 == 1:
                latest = float(value.detach())
                course.loss = latest if course.loss != course.loss else 0.9 * course.loss + 0.1 * latest
                done = course.done / course.total
                share = max(done, spent() / schedule.seconds if schedule.seconds > 0 else 0.0)
                speed = course.done * epoch.moments / len(epoch) / max(spent(), 1e-9)
                text = f"epoch {course.epoch} · loss {course.loss:.3f} · {speed:,.0f} samples/s{note}"
                context.progress(min(share, 1.0), 1.0, text)
            if course.batch < len(order):
                keep()
        model.eval()
        with torch.inference_mode():
            reached = validate()
        course.batch = 0
        note = f" · {measure} {reached:.4f}" if math.isfinite(reached) else " · not validated"
        context.log.info("epoch %d: loss %.4f%s", course.epoch, course.loss, note)
        if math.isnan(reached):
            course.best, course.best_epoch, best = reached, course.epoch, {}
        elif not reached <= course.best:
            course.best, course.best_epoch, best = reached, course.epoch, _copy(model)
        keep()
    if best:
        model.load_state_dict(best)
    model.eval()
    kept = "the last" if math.isnan(course.best) else f"best {measure} {course.best:.4f} in epoch {course.best_epoch}"
    context.progress(1.0, 1.0, f"epoch {course.epoch} · {kept}")
    return Outcome(course.best, course.best_epoch, course.epoch)


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
