"""What a worker process is told to do, as one JSON file."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cache import write_text


@dataclass(frozen=True, slots=True)
class Job:
    """Some phases of one method on one task.

    method: an installed name or "path.py:Class"; task, out, scratch: folders; load, save: the artifact folder of a
    phase, empty where the method keeps nothing; phases: which to carry out, in order: train, index, update, then query
    or turns (bench.run.turn); timing, slo_ms: what is measured of `query` (bench.run.timing);
    live: the fields of a Live where the catalog changes after `index`; unfinished: a folder that outlives an
    interrupted `train`, "" for none; oracle: the file in which runs over the same index share the oracle's answers;
    energy: whether each phase's is measured.
    """

    method: str
    params: dict[str, Any]
    task: str
    phases: list[str]
    load: dict[str, str]
    save: dict[str, str]
    out: str
    scratch: str
    k: int
    seed: int
    device: str
    threads: int
    timing: list[str]
    slo_ms: float
    live: dict[str, float] | None = None
    unfinished: str = ""
    oracle: str = ""
    energy: bool = False

    def write(self, path: Path) -> None:
        write_text(path, json.dumps(dataclasses.asdict(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> Job:
        return cls(**json.loads(path.read_text(encoding="utf-8")))
