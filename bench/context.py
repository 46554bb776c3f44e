"""What the harness lends a method for one call."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


class Progress(Protocol):
    """Tells the person waiting how far the work is; the harness shows rate and time left."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """`done` of `total` units of work; `note` is short: "epoch 3 · loss 5.31 · recall@50 .241"."""


class Milestone(Protocol):
    """Keeps what a method has reached part-way, a round of several for example, in the record of its phase."""

    def __call__(self, name: str, **values: float) -> None:
        """`name` and numbers by name, of which those that are not finite are left out; the harness adds the phase's
        seconds so far."""


def _passed(name: str, **values: float) -> None:
    """A milestone that nobody keeps."""


@dataclass(frozen=True, slots=True)
class Context:
    """Lent for one call. threads and device may differ from call to call.

    rng: the only source of randomness (derived from seed and phase); scratch: a folder that is empty before the phase
    and deleted after it. checkpoint: a folder that outlives a `train` that is interrupted, and that the same training
    finds again as it left it; None where nothing can be kept. milestone: see Milestone.
    """

    seed: int
    rng: np.random.Generator
    device: str
    threads: int
    scratch: Path
    progress: Progress
    log: logging.Logger
    checkpoint: Path | None = None
    milestone: Milestone = _passed
