"""Energy of a block of work, by codecarbon, which is an extra: offline, nothing sent, no file written."""

from __future__ import annotations

import importlib.util
from types import TracebackType
from typing import Any, Self

from bench.errors import Unavailable

JOULES = 3.6e6  # of a kilowatt hour
ENVIRONMENT = {"CODECARBON_TELEMETRY_LEVEL": "disabled"}  # later versions would tell their makers of every run
PARTS = {"processor": "cpu_energy", "graphics": "gpu_energy", "memory": "ram_energy"}
COUNTERS = ("Rapl", "Power Gadget", "Windows Emi", "AppleSiliconChip", "GPU")  # of the hardware; all else is a model


def refuse_absent() -> None:
    """Raise Unavailable where codecarbon is not installed."""
    if importlib.util.find_spec("codecarbon") is None:
        raise Unavailable("energy is measured by codecarbon, which is not installed: pip install 'bench[energy]'")


class Energy:
    """Adds up what the whole machine takes during a block, where that is asked for.

    told: after the block, {"energy": what a record says}: `joules`, those of each part that codecarbon follows, and
    `sources`, how each was found: counters of the hardware ("measured") or a model of it ("estimated"). Else empty.
    """

    def __init__(self, *, asked: bool) -> None:
        self.told: dict[str, dict[str, Any]] = {}
        self._tracker: Any = None
        if asked:
            from codecarbon import OfflineEmissionsTracker  # type: ignore[import-not-found, unused-ignore]

            self._tracker = OfflineEmissionsTracker(
                country_iso_code="USA",  # it insists on one, for emissions, which are not read
                tracking_mode="machine",
                output_methods=[],
                allow_multiple_runs=True,  # without a lock file
                pue=1.0,  # the machine's own, whatever a person's settings add for the building
                log_level="error",
            )

    def __enter__(self) -> Self:
        if self._tracker is not None:
            self._tracker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._tracker is None:
            return
        self._tracker.stop()
        found = getattr(self._tracker, "final_emissions_data", None)
        if found is None:  # codecarbon swallows its own errors and goes on without a result
            self.told = {"energy": {"joules": None, "parts": {}, "sources": {}}}
            return
        sources = dict(map(source, self._tracker._conf["hardware"]))
        joules = {part: JOULES * float(getattr(found, PARTS[part])) for part in sources}
        self.told = {"energy": {"joules": sum(joules.values()), "parts": joules, "sources": sources}}


def source(description: str) -> tuple[str, str]:
    """Which part codecarbon's description of some hardware is of, and how its energy is found: "CPU(Intel Rapl)" ->
    processor, "measured (Intel Rapl)"."""
    kind, _, rest = description.partition("(")
    part = {"GPU": "graphics", "RAM": "memory"}.get(kind.strip(), "processor")
    way = "measured" if any(name in description for name in COUNTERS) else "estimated"
    named = rest.strip().removesuffix(")")
    return part, f"{way} ({named})" if named else way
