"""The costs that recall is drawn and read off against: latency, throughput, work and, with prices, money."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.report import wording
from bench.report.columns import Record, lookup, number, scored_share
from bench.report.cost import Bill, serving_money

ITEMS = "items scored"


@dataclass(frozen=True, slots=True)
class Axis:
    """name: of files; title: of an axis; value: of a record, None where it has none; text: a value in a sentence, with
    its unit; more: whether more is better; better, worse: what one is that spends less, or more."""

    name: str
    title: str
    value: Callable[[Record], float | None]
    text: Callable[[float], str]
    more: bool = False
    better: str = "faster"
    worse: str = "slower"

    def spent(self, record: Record) -> float | None:
        """The value as something of which less is better: a rate as its inverse. None for 0 too."""
        value = self.value(record)
        return None if not value else 1 / value if self.more else value

    def told(self, spent: float) -> str:
        """What was spent, as the axis counts it."""
        return self.text(1 / spent if self.more else spent)


def axes(records: Sequence[Record], bill: Bill | None = None) -> list[Axis]:
    """Every cost that one of the records may have; work is an axis of its own in each unit, as units do not compare."""
    units = dict.fromkeys(str(unit) for record in records if (unit := lookup(record, "work", "unit")))
    found = [
        Axis("p50", "median latency of a single request, ms", _path("latency_ms", "p50"), _milliseconds),
        _rate("load", "highest rate that holds, requests a second", "load", "rate"),
        _rate("qps", "throughput in batches, requests a second", "throughput_qps"),
        Axis("device_p50", "median latency on the device, ms", _path("device", "latency_ms", "p50"), _milliseconds),
        _rate("device_qps", "throughput on the device, requests a second", "device", "throughput_qps"),
        Axis("scored", "share of the items scored", scored_share, wording.percent, better="less", worse="more"),
        *(_work(unit) for unit in units if unit != ITEMS),
    ]
    if bill is None or bill.prices is None:
        return found
    asked, priced = wording.count(bill.requests), bill  # a name of its own, which is not None
    currency = bill.prices.currency
    title = f"{asked} requests, {currency}"
    money = Axis(
        "money",
        title,
        lambda record: serving_money(record, priced),
        lambda value: f"{wording.amount(value)} {currency}",
        better="cheaper",
        worse="dearer",
    )
    return [*found, money]


def _path(*path: str) -> Callable[[Record], float | None]:
    return lambda record: number(lookup(record, *path))


def _rate(name: str, title: str, *path: str) -> Axis:
    return Axis(
        name, title, _path(*path), lambda rate: f"{wording.short_count(rate)}/s", more=True, better="more", worse="less"
    )


def _work(unit: str) -> Axis:
    def value(record: Record) -> float | None:
        return number(lookup(record, "work", "mean")) if lookup(record, "work", "unit") == unit else None

    name = f"work-{unit.replace(' ', '-').replace('+', 'and')}"
    return Axis(name, f"{unit}, a request", value, wording.short_count, better="less", worse="more")


def _milliseconds(value: float) -> str:
    return f"{wording.milliseconds(value)} ms"
