"""What a run takes, measured or expected: seconds, memory and disk, each by its part."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ORACLE = "oracle"  # seconds of ranking the whole catalog by the method's own scorer
REST = "rest"  # seconds outside of phases and oracle: processes that start, timing, metrics
RESULTS = "results"  # bytes of the result's folder


@dataclass(frozen=True, slots=True)
class Span:
    """A number with the range that it may lie in."""

    value: float
    low: float
    high: float

    def __add__(self, other: Span) -> Span:
        return Span(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: float) -> Span:
        """All of it multiplied."""
        return Span(self.value * factor, self.low * factor, self.high * factor)

    def at_most(self, limit: float) -> Span:
        """No end beyond `limit`."""
        return Span(min(self.value, limit), min(self.low, limit), min(self.high, limit))


NOTHING = Span(0.0, 0.0, 0.0)
Merge = Callable[[Sequence[float]], Span]


@dataclass(frozen=True, slots=True)
class Cost:
    """seconds: of each phase, the ORACLE and the REST; memory: peak resident bytes of each phase; disk: bytes of each
    phase's artifact and of the RESULTS."""

    seconds: Mapping[str, Span] = field(default_factory=dict)
    memory: Mapping[str, Span] = field(default_factory=dict)
    disk: Mapping[str, Span] = field(default_factory=dict)

    @property
    def total_seconds(self) -> Span:
        """Of all parts."""
        return total(self.seconds.values())

    @property
    def total_disk(self) -> Span:
        """Bytes of all parts."""
        return total(self.disk.values())

    @property
    def peak_memory(self) -> Span:
        """Bytes of the phase that takes most."""
        spans = self.memory.values()
        return Span(*(max((getattr(one, end) for one in spans), default=0.0) for end in ("value", "low", "high")))

    def without(self, phases: Iterable[str]) -> Cost:
        """Less those phases, whose artifact is there."""
        gone = set(phases)
        kept = [
            {part: one for part, one in kind.items() if part not in gone}
            for kind in (self.seconds, self.memory, self.disk)
        ]
        return Cost(*kept)


def combined(costs: Sequence[Cost], seconds: Merge, amounts: Merge) -> Cost:
    """One cost of several that have the same parts: `seconds` and `amounts` (of bytes) of each part's values."""

    def of(kinds: Sequence[Mapping[str, Span]], merge: Merge) -> dict[str, Span]:
        return {part: merge([kind[part].value for kind in kinds if part in kind]) for part in kinds[-1]}

    return Cost(
        of([cost.seconds for cost in costs], seconds),
        of([cost.memory for cost in costs], amounts),
        of([cost.disk for cost in costs], amounts),
    )


def total(spans: Iterable[Span]) -> Span:
    """Their sum: ends add up, as if all erred the same way."""
    return sum(spans, NOTHING)


def paid(record: Mapping[str, Any], folder: Path) -> Cost:
    """What the execution in `folder` took."""
    phases: Mapping[str, Any] = record["phases"]
    seconds = {name: float(phase["seconds"]) for name, phase in phases.items()}
    new = sum(  # what numba compiled lies on the disk from now on
        seconds[name] + phase.get("compiled_seconds", 0.0) for name, phase in phases.items() if not phase.get("cached")
    )
    if record.get("oracle_seconds") is not None:
        seconds[ORACLE] = record["oracle_seconds"]
    new += seconds.get(ORACLE, 0.0)
    seconds[REST] = max(0.0, record["wall_seconds"] - new)  # a resumed training took some of its seconds earlier
    disk = {name: phase["artifact_bytes"] for name, phase in phases.items() if phase.get("artifact_bytes") is not None}
    disk[RESULTS] = sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
    memory = {name: phase["peak_rss_bytes"] for name, phase in phases.items() if phase.get("peak_rss_bytes")}
    return Cost(_exactly(seconds), _exactly(memory), _exactly(disk))


def _exactly(values: Mapping[str, float]) -> dict[str, Span]:
    return {name: Span(float(value), float(value), float(value)) for name, value in values.items()}


def middle(values: Sequence[float], slack: float) -> Span:
    """The median of repeated measurements, from the least / `slack` to the greatest x `slack`."""
    return Span(statistics.median(values), min(values) / slack, max(values) * slack)
