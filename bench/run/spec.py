"""The identity of a run: what decides its answers, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from bench.params import Parameter


@dataclass(frozen=True, slots=True)
class Spec:
    """task x method x parameters x k x seed x timing mode (x how a live catalog changes).

    An execution is one carrying-out of it on one machine.
    """

    task: str
    method: str
    version: str
    params: dict[str, Any]
    k: int
    seed: int
    timing: str
    live: dict[str, float] | None = None

    @property
    def id(self) -> str:
        """16 hexadecimal digits."""
        return digest(self.known())[:16]

    def known(self) -> dict[str, Any]:
        """All that decides the answers; an ordinary run does not say that its catalog stays."""
        known = dataclasses.asdict(self)
        if self.live is None:
            del known["live"]
        return known


@dataclass(frozen=True, slots=True)
class Build:
    """What an artifact depends on besides the spec: the algorithm's source and what may change its digits."""

    source: str
    device: str
    threads: int


def artifact_key(spec: Spec, build: Build, parameters: dict[str, Parameter], phase: str) -> str:
    """The identity of what `phase` leaves: a query parameter never rebuilds, an index parameter never retrains.

    A live run shares the training of the ordinary one; its index is another, over the training catalog.
    """
    phases = ("train",) if phase == "train" else ("train", "index")
    params = {name: value for name, value in spec.params.items() if parameters[name].phase in phases}
    known = {**spec.known(), **dataclasses.asdict(build), "params": params, "phase": phase}
    del known["k"], known["timing"]
    if known.pop("live", None) is not None and phase == "index":
        known["catalog"] = "training"  # whatever is added and removed later
    return digest(known)[:32]


def digest(value: Any) -> str:
    """sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
