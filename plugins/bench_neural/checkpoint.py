"""What a training leaves behind while it goes, so that one that is killed goes on where it was: one file of tensors."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bench import Context

EVERY_SECONDS = 60.0
LEAST_SHARE = 20  # of the time between two checkpoints, writing takes at most one part in so many
FILE = "training.safetensors"


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint that was read: tensors by name and the rest as JSON gave it."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]

    def part(self, prefix: str) -> dict[str, Tensor]:
        """The tensors below `prefix`, without it."""
        return {key[len(prefix) + 1 :]: value for key, value in self.tensors.items() if key.startswith(f"{prefix}.")}


@dataclass(slots=True)
class Checkpoint:
    """The checkpoint in a folder; without a folder nothing is ever written or found.

    A file is written beside its name and renamed, so there is a whole one or none.
    """

    folder: Path | None
    _written: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def due(self) -> bool:
        """Whether it is time for another: a minute after the last, or later where writing takes long."""
        pause = max(EVERY_SECONDS, LEAST_SHARE * self._cost)
        return self.folder is not None and time.monotonic() - self._written >= pause

    def write(self, parts: Mapping[str, Mapping[str, Tensor]], facts: Mapping[str, Any]) -> None:
        """Keep tensors, named "part.name", and facts (what JSON can hold)."""
        if self.folder is None:
            return
        began = time.monotonic()
        tensors = {
            f"{part}.{name}": value.detach().cpu().contiguous()
            for part, named in parts.items()
            for name, value in named.items()
        }
        begun = self.folder / f"{FILE}.begun"
        save_file(tensors, begun, {"facts": json.dumps(facts)})
        begun.replace(self.folder / FILE)
        self._written = time.monotonic()
        self._cost = self._written - began

    def read(self, context: Context) -> Saved | None:
        """The last one, None where there is none; a damaged one is told of and passed over."""
        if self.folder is None or not (self.folder / FILE).exists():
            return None
        try:
            with safe_open(self.folder / FILE, framework="pt") as file:
                names, facts = file.keys(), json.loads(file.metadata()["facts"])
                return Saved({name: file.get_tensor(name) for name in names}, facts)
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            context.log.warning("the checkpoint cannot be read (%s); training begins anew", error)
            return None


@dataclass(frozen=True, slots=True)
class Chance:
    """All randomness of a training: torch's own (dropout), the given generators, and `context.rng`."""

    generators: Sequence[torch.Generator]
    context: Context

    def tensors(self) -> dict[str, Tensor]:
        """The states, by name."""
        found = {"torch": torch.get_rng_state()}
        if self.context.device.startswith("cuda"):
            found["cuda"] = torch.cuda.get_rng_state(self.context.device)
        found |= {str(at): generator.get_state() for at, generator in enumerate(self.generators)}
        return found | {"numpy": torch.from_numpy(_bytes(self.context.rng))}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave."""
        torch.set_rng_state(tensors["torch"])
        if "cuda" in tensors:
            torch.cuda.set_rng_state(tensors["cuda"], self.context.device)
        for at, generator in enumerate(self.generators):
            generator.set_state(tensors[str(at)])
        self.context.rng.bit_generator.state = json.loads(tensors["numpy"].numpy().tobytes())


def _bytes(rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(bytearray(json.dumps(rng.bit_generator.state).encode()), np.uint8)


def apart(context: Context, turn: int) -> Context:
    """A context whose checkpoint is that of one training of several."""
    if context.checkpoint is None:
        return context
    folder = context.checkpoint / f"round{turn}"
    folder.mkdir(exist_ok=True)
    return dataclasses.replace(context, checkpoint=folder)
