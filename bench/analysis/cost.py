"""The arithmetic of cost: time and memory to money, and when a training reached a share of what it came to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.prices import Prices

HOUR = 3600.0  # seconds
GB = 1e9  # bytes


@dataclass(frozen=True, slots=True)
class Work:
    """A machine at work: seconds, and meanwhile cores, bytes of memory and GPUs held."""

    seconds: float
    cores: int
    memory_bytes: float
    gpus: int = 0


def money(works: Iterable[Work], prices: Prices) -> float | None:
    """What the works cost together; None where there is none, or where one's processor has no price.

    hours x (cores x core_hour + GB x gb_hour + GPUs x gpu_hour), prices that were not given as 0; but a work on a GPU
    needs gpu_hour and one on cores alone core_hour.
    """
    total, priced = 0.0, False
    for work in works:
        if (prices.gpu_hour if work.gpus else prices.core_hour) is None:
            return None
        hourly = work.cores * (prices.core_hour or 0.0) + work.memory_bytes / GB * (prices.gb_hour or 0.0)
        hourly += work.gpus * (prices.gpu_hour or 0.0)
        total += work.seconds / HOUR * hourly
        priced = True
    return total if priced else None


def storage(size: float, prices: Prices) -> float | None:
    """What so many bytes cost a month; None without a price."""
    return None if prices.gb_month is None else size / GB * prices.gb_month


def reached_after(seconds: Sequence[float], quality: Sequence[float], share: float) -> float | None:
    """When a training first had `share` of its last quality: seconds and quality of each round, in order.

    The seconds of a round's end, nothing between rounds; None with fewer than two rounds, which tell nothing.
    """
    if len(seconds) != len(quality):
        raise ValueError(f"{len(seconds)} times and {len(quality)} qualities: one of each belongs to a round")
    if len(seconds) < 2:
        return None
    return next(when for when, reached in zip(seconds, quality, strict=True) if reached >= share * quality[-1])
