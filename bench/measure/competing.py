"""What else the machine did while something was timed, and how its processor is set."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import psutil

NOISY = 0.1  # cores of other work from which on a measurement is called noisy
_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")


class Competing:
    """Counts what other processes, and other machines on the same host, took of the cores in a block."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.cores = 0.0

    def __enter__(self) -> Self:
        self._begun, self._before = perf_counter(), _others()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.seconds = perf_counter() - self._begun
        self.cores = max(0.0, _others() - self._before) / max(self.seconds, 1e-9)


def _others() -> float:
    """Seconds of all cores that were not this process's or its children's."""
    all_cores = psutil.cpu_times()
    busy = sum(getattr(all_cores, name, 0.0) for name in _BUSY)
    this = psutil.Process()
    return float(busy - sum(_spent(process) for process in (this, *this.children(recursive=True))))


def _spent(process: psutil.Process) -> float:
    """Seconds of a process and of those of its children that have ended; 0 where it has ended meanwhile."""
    try:
        own = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(own.user + own.system + own.children_user + own.children_system)


def processor() -> dict[str, Any]:
    """How the processor is set: its governor and frequency in MHz where the system tells them, the cores that this
    process may use."""
    governor = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return {
        "governor": governor.read_text(encoding="ascii").strip() if governor.is_file() else None,
        "mhz": round(frequency.current) if frequency else None,
        "affinity": sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }
