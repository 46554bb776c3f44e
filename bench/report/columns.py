"""The columns of a result table: where each value lies in a record, how it reads, what a narrow terminal drops."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.report import wording

Record = Mapping[str, Any]
PHASES = ("train", "index", "load", "update", "query")


@dataclass(frozen=True, slots=True)
class Column:
    """One measured column.

    name: its key for --sort, --filter and CSV; header: one or two short lines; importance: a narrow terminal drops the
    lowest first; best: "high" where more is better, else ""; path: the measurement that has an interval, if any.
    """

    name: str
    header: str
    value: Callable[[Record], float | None]
    text: Callable[[float | None], str]
    importance: int
    best: str = ""
    path: tuple[str, str] | None = None

    def interval(self, record: Record) -> tuple[float, float] | None:
        """The bounds that belong to the value, where there are any."""
        found = lookup(record, *self.path) if self.path else None
        if (
            not isinstance(found, Mapping)
            or not wording.known(found.get("low"))
            or not wording.known(found.get("high"))
        ):
            return None
        return float(found["low"]), float(found["high"])


def lookup(record: Record, *path: str) -> Any:
    """What lies under the keys, None where one is missing."""
    found: Any = record
    for key in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(key)
    return found


def measured(record: Record, part: str, name: str) -> float | None:
    """The value of a measurement of "metrics", "validation" or "oracle"; they hold {value, low, high} or a number."""
    return number(lookup(record, part, name))


def number(found: Any) -> float | None:
    """A plain number of a record's entry."""
    if isinstance(found, Mapping):
        found = found.get("value")
    return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def scored_share(record: Record) -> float | None:
    """Share of the catalog scored for a request; None where work is counted in another unit."""
    return number(lookup(record, "work", "share")) if lookup(record, "work", "unit") == "items scored" else None


def peak_memory(record: Record) -> float | None:
    """Bytes: the largest phase."""
    peaks = [number(lookup(record, "phases", phase, "peak_rss_bytes")) for phase in PHASES]
    return max((peak for peak in peaks if peak is not None), default=None)


def _metric(name: str, header: str, importance: int, best: str = "high") -> Column:
    return Column(
        name, header, lambda r: measured(r, "metrics", name), wording.proportion, importance, best, ("metrics", name)
    )


def _oracle(name: str, key: str, header: str, text: Callable[[float | None], str], importance: int) -> Column:
    return Column(name, header, lambda r: measured(r, "oracle", key), text, importance, "", ("oracle", key))


def _under(
    path: tuple[str, ...], name: str, header: str, text: Callable[[float | None], str], importance: int, best: str = ""
) -> Column:
    return Column(name, header, lambda r: number(lookup(r, *path)), text, importance, best)


def columns(records: Sequence[Record]) -> list[Column]:
    """The standard columns, for the numbers k that these records hold."""
    ks = depths(records)
    middle = main_k(records)
    recalls = [_metric(f"recall@{k}", f"recall\n@{k}", 100 if k == middle else 90 if k == max(ks) else 88) for k in ks]
    first = min(ks, default=10)
    return [
        *(recalls or [_metric("recall@50", "recall\n@50", 100)]),
        _metric(f"ndcg@{first}", f"NDCG\n@{first}", 70),
        _oracle(f"oracle@{middle}", f"recall@{middle}", f"oracle\n@{middle}", wording.proportion, 80),
        _oracle(f"index_loss@{middle}", f"index_loss@{middle}", "index\nloss", wording.percent, 95),
        Column("scored", "items\nscored", scored_share, wording.percent, 85),
        _under(("latency_ms", "p50"), "p50", "p50\nms", wording.milliseconds, 92),
        _under(("latency_ms", "p99"), "p99", "p99\nms", wording.milliseconds, 75),
        _under(("throughput_qps",), "qps", "req\n/s", wording.short_count, 60),
        _under(("load", "rate"), "load", "held\n/s", wording.short_count, 62),
        _under(("device", "latency_ms", "p50"), "device_p50", "device\np50 ms", wording.milliseconds, 91),
        _under(("device", "throughput_qps"), "device_qps", "device\nreq/s", wording.short_count, 61),
        _under(("phases", "train", "seconds"), "train", "train\ns", wording.seconds, 82),
        _under(("phases", "index", "seconds"), "index", "index\ns", wording.seconds, 50),
        _under(("phases", "load", "seconds"), "loading", "load\ns", wording.seconds, 48),
        _under(("phases", "update", "seconds"), "update", "update\ns", wording.seconds, 52),
        Column("memory", "peak\nmemory", peak_memory, wording.size, 55),
    ]


def depths(records: Sequence[Record]) -> list[int]:
    """The numbers k at which recall was measured."""
    names = {name for record in records for name in record.get("metrics") or {}}
    return sorted(int(name[7:]) for name in names if name.startswith("recall@") and name[7:].isdigit())


def main_k(records: Sequence[Record]) -> int:
    """The k that sentences speak of: 50 where it is measured, else the middle one."""
    ks = depths(records)
    return 50 if 50 in ks or not ks else ks[len(ks) // 2]
