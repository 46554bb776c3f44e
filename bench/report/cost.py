"""What a record says of cost: machines at work while building and serving, bytes, energy, the time to a recall."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.analysis.cost import Work, money, reached_after, storage
from bench.prices import Prices
from bench.report.columns import Record, lookup, number

BUILDING = ("train", "index")
SERVING = ("load", "update", "query")
SHARE = 0.95  # of its last recall, when a training is said to have got there
REACHED = "validation recall@"
JOULES = 3600.0  # of a watt hour


@dataclass(frozen=True, slots=True)
class Bill:
    """What is asked of costs: for how many requests, at which prices, and to which share of the last recall."""

    requests: float
    prices: Prices | None = None
    share: float = SHARE


def building(record: Record) -> list[Work]:
    """Training and indexing, once, on all threads of the run; also where a cache answered."""
    return [work for phase in BUILDING if (work := _work(record, phase, _seconds(record, phase))) is not None]


def serving(record: Record, requests: float) -> Work | None:
    """So many requests, by the measured mode that serves the most (see `serving_mode`); None where none was."""
    found = _rate(record)
    return None if found is None else _work(record, "query", requests / found[1], threads=found[2])


def serving_seconds(record: Record, requests: float) -> float | None:
    """How long `serving` lasts, also where nobody knows on how many cores."""
    found = _rate(record)
    return None if found is None else requests / found[1]


def serving_mode(record: Record) -> str:
    """By which measurement `serving` counts, "" for none: batches (on the device, where the run had one), the rate that
    held, single requests on one thread."""
    found = _rate(record)
    return "" if found is None else found[0]


def building_money(record: Record, prices: Prices) -> float | None:
    """Training and indexing once; None where that is not known."""
    works = building(record)
    return money(works, prices) if works else None


def serving_money(record: Record, bill: Bill) -> float | None:
    """The bill's requests; None without prices or a measurement."""
    work = serving(record, bill.requests)
    return None if work is None or bill.prices is None else money([work], bill.prices)


def storing_money(record: Record, prices: Prices) -> float | None:
    """What building left, for a month."""
    size = kept_bytes(record)
    return None if size is None else storage(size, prices)


def kept_bytes(record: Record) -> float | None:
    """On disk: what training and indexing left; None where the method keeps nothing."""
    sizes = [number(lookup(record, "phases", phase, "artifact_bytes")) for phase in BUILDING]
    known = [size for size in sizes if size is not None]
    return sum(known) if known else None


def memory(record: Record, phases: tuple[str, ...]) -> float | None:
    """Bytes: the most that one of the phases held."""
    peaks = [number(lookup(record, "phases", phase, "peak_rss_bytes")) for phase in phases]
    return max((peak for peak in peaks if peak is not None), default=None)


def building_energy(record: Record) -> float | None:
    """Watt hours of training and indexing; None unless both were measured with energy."""
    spent = [number(lookup(record, "phases", phase, "energy", "joules")) for phase in BUILDING]
    known = [joules for joules in spent if joules is not None]
    return sum(known) / JOULES if len(known) == len(BUILDING) else None


def serving_energy(record: Record, requests: float) -> float | None:
    """Watt hours of so many requests, from those that were answered in one call."""
    joules = number(lookup(record, "phases", "query", "energy", "joules"))
    answered = number(lookup(record, "phases", "query", "energy", "requests"))
    return joules / JOULES * requests / answered if joules is not None and answered else None


def energy_sources(record: Record) -> Mapping[str, str]:
    """Of processor, graphics and memory: how its energy was found, for those that were."""
    for phase in ("query", *BUILDING):
        found = lookup(record, "phases", phase, "energy", "sources")
        if isinstance(found, Mapping):
            return found
    return {}


def time_to(record: Record, share: float) -> float | None:
    """Seconds of training until a round had `share` of the last round's validation recall; None without two rounds."""
    told = lookup(record, "phases", "train", "milestones")
    rounds: list[Mapping[str, Any]] = [one for one in told or [] if isinstance(one, Mapping)]
    names = [name for one in rounds for name in one if name.startswith(REACHED) and "," not in name]
    if not names:  # what stands behind a comma is another search, such as an exact one
        return None
    there = [one for one in rounds if names[-1] in one]
    return reached_after([one["seconds"] for one in there], [one[names[-1]] for one in there], share)


def _rate(record: Record) -> tuple[str, float, int | None] | None:
    """The mode that serves the most, its requests a second and its threads, None for all of the run's."""
    alone = number(lookup(record, "latency_ms", "mean"))
    for mode, rate, threads in (
        ("in batches on the device", number(lookup(record, "device", "throughput_qps")), None),
        ("in batches", number(record.get("throughput_qps")), None),
        ("at the rate that held", number(lookup(record, "load", "rate")), None),
        ("one by one on one thread", 1000 / alone if alone else None, 1),
    ):
        if rate:
            return mode, rate, threads
    return None


def _seconds(record: Record, phase: str) -> float | None:
    return number(lookup(record, "phases", phase, "seconds"))


def _work(record: Record, phase: str, seconds: float | None, threads: int | None = None) -> Work | None:
    cores = threads or lookup(record, "provenance", "build", "threads")
    if seconds is None or not isinstance(cores, int):
        return None
    gpus = int(str(lookup(record, "provenance", "device") or "cpu") != "cpu")
    return Work(seconds, cores, memory(record, (phase,)) or 0.0, gpus)
