"""What a person asks for: one run, and where its files are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench.data.conventions import Conventions
from bench.errors import UsageError
from bench.run.timing import SLO_MS


class Elsewhere(Protocol):
    """A place beyond this machine, for artifacts and executions."""

    def fetch(self, final: Path) -> None:
        """Bring the artifact `final` into the cache if it is there and not here, whole or not at all."""

    def offer(self, final: Path) -> None:
        """Put an artifact that was made here there."""

    def offer_run(self, folder: Path) -> None:
        """Put an execution there."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where results, prepared data, and raw data lie; artifacts: what was trained and built, None for in the cache;
    elsewhere: what other machines have made."""

    results: Path
    cache: Path
    data_root: Path | None = None
    artifacts: Path | None = None
    elsewhere: Elsewhere | None = None

    @property
    def shelf(self) -> Path:
        """Where artifacts lie."""
        return self.artifacts or self.cache / "artifacts"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of each phase: seconds, and bytes of anonymous memory; None for no limit."""

    seconds: float | None = None
    memory_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, limit, unit in (("timeout", self.seconds, "seconds"), ("memory", self.memory_bytes, "bytes")):
            if limit is not None and not limit > 0:
                raise UsageError(
                    f"{name}: a limit of {limit:g} {unit} leaves a phase nothing; raise it or leave it out"
                )


@dataclass(frozen=True, slots=True)
class Live:
    """The catalog changes after the index was built: `index` sees the training catalog, `update` the query catalog.

    remove: share of the training catalog's candidates that leave at the same moment, drawn by the plan's seed.
    """

    remove: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.remove < 1:
            raise UsageError(f"remove {self.remove:g} is no share of the items from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Plan:
    """One run as a person asks for it; texts are parsed and checked before any work starts.

    dataset: "movielens-1m" or "synthetic:items=1000,seed=3", unless `data` names a file; protocol: "next-item" or
    "user-holdout:users=500", "" for the data set's own; method: an installed name or "path.py:Class"; ks: the depths
    of the metrics, the largest is the number of items a request asks for; threads: 0 for all cores; timing: modes of
    bench.run.timing joined by "+", or "none"; slo_ms: the bound of the mode "load"; energy: that of each phase is
    measured too; live: through `update`, None for an index over the whole query catalog.
    """

    method: str
    dataset: str = "synthetic"
    data: Path | None = None
    columns: Mapping[str, str] | None = None
    protocol: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    conventions: Conventions = field(default_factory=Conventions)
    eligible: Path | None = None
    live: Live | None = None
    ks: tuple[int, ...] = (10, 50, 200)
    seed: int = 0
    device: str = "cpu"
    threads: int = 0
    timing: str = "single+batch"
    slo_ms: float = SLO_MS
    energy: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def k(self) -> int:
        """Items asked for a request."""
        return max(self.ks)

    @property
    def name(self) -> str:
        """The method, and what is set of it: "dvf scorer=inner", "mine.py:LSH bits=12 seed=1"."""
        seed = {"seed": self.seed} if self.seed else {}
        return " ".join(
            [Path(self.method).name, *(f"{key}={value}" for key, value in {**self.settings, **seed}.items())]
        )
