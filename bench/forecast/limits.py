"""Which limit a forecast would hit: of the suite, of the memory, of the disks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from bench.forecast.cost import ORACLE, REST, Span
from bench.forecast.forecast import Forecast, Line
from bench.report import wording
from bench.run.plan import Home


def hits(forecast: Forecast, home: Home) -> list[str]:
    """A sentence for each limit that is likely, or may be, passed."""
    memory = psutil.virtual_memory().available
    found = [said for line in forecast.lines for said in _of_line(line, memory)]
    return list(dict.fromkeys([*found, *_of_disks(forecast, home)]))


def free_bytes(folder: Path) -> int:
    """Of the disk that the folder lies on, or will."""
    return shutil.disk_usage(_existing(folder)).free


def _of_line(line: Line, memory: int) -> Iterator[str]:
    name, limits, cost = line.plan.name, line.plan.limits, line.cost
    for phase, spent in cost.seconds.items():
        if limits.seconds is not None and phase not in (ORACLE, REST) and (word := _beyond(spent, limits.seconds)):
            yield f"{name}: {phase} {word} {wording.duration(limits.seconds)}, the suite's timeout"
    peak = cost.peak_memory
    if word := _beyond(peak, memory):
        yield f"{name}: its {wording.size(peak.value)} {word} the {wording.size(memory)} of memory that are free"
    elif limits.memory_bytes is not None and (word := _beyond(peak, limits.memory_bytes)):
        limit = wording.size(limits.memory_bytes)
        yield f"{name}: its {wording.size(peak.value)} {word} {limit}, the suite's memory_gb"


def _of_disks(forecast: Forecast, home: Home) -> Iterator[str]:
    needed = {home.cache: forecast.artifact_bytes, home.results: forecast.results_bytes}
    disks: dict[int, tuple[Path, Span]] = {}
    for folder, span in needed.items():
        disk = _existing(folder).stat().st_dev
        disks[disk] = (folder, span + disks[disk][1] if disk in disks else span)
    for folder, span in disks.values():
        free = free_bytes(folder)
        if word := _beyond(span, free):
            yield f"disk: the {wording.size(span.value)} to be written {word} the {wording.size(free)} free at {folder}"


def _beyond(span: Span, limit: float) -> str:
    """How a span passes a limit, "" where not even its high end does."""
    if span.high <= limit:
        return ""
    return "would pass" if span.value > limit else "may pass"


def _existing(folder: Path) -> Path:
    place = folder.absolute()
    return next(one for one in (place, *place.parents) if one.exists())
