"""The columns of `bench cost`: what building and serving takes, and what of it must be said below."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.report import cost, wording
from bench.report.columns import Column, Record, lookup, main_k, measured, number
from bench.report.cost import Bill


def cost_columns(records: Sequence[Record], bill: Bill) -> list[Column]:
    """Seconds, memory, bytes, energy and, where there are prices, money; each where a record has it."""
    hours = "~Wh" if any("estimated" in source for _, source in _sources(records)) else "Wh"
    asked = bill.requests
    k, many = main_k(records), wording.short_count(asked).replace(".0", "")
    found = [
        Column(
            f"recall@{k}",
            f"recall\n@{k}",
            lambda r: measured(r, "metrics", f"recall@{k}"),
            wording.proportion,
            100,
            "high",
            ("metrics", f"recall@{k}"),
        ),
        *(
            Column(name, f"{phase}\ns", _seconds(phase), wording.seconds, importance)
            for name, phase, importance in (
                ("train", "train", 95),
                ("index", "index", 85),
                ("loading", "load", 75),
                ("update", "update", 74),
            )
        ),
        Column(
            "reaching",
            f"to {bill.share:.0%}\ns",
            lambda r: cost.time_to(r, bill.share),
            wording.seconds,
            60,
        ),
        Column("serving", f"{many} req\ns", lambda r: cost.serving_seconds(r, asked), wording.seconds, 90),
        Column("building_memory", "memory\nbuild", lambda r: cost.memory(r, cost.BUILDING), wording.size, 70),
        Column("serving_memory", "memory\nserve", lambda r: cost.memory(r, cost.SERVING), wording.size, 80),
        Column("bytes", "on\ndisk", cost.kept_bytes, wording.size, 72),
        Column("building_energy", f"build\n{hours}", cost.building_energy, wording.amount, 64),
        Column(
            "serving_energy",
            f"{many} req\n{hours}",
            lambda r: cost.serving_energy(r, bill.requests),
            wording.amount,
            66,
        ),
    ]
    prices = bill.prices
    if prices is None:
        return found
    return [
        *found,
        Column(
            "building_money", f"build\n{prices.currency}", lambda r: cost.building_money(r, prices), wording.amount, 92
        ),
        Column(
            "serving_money",
            f"{many} req\n{prices.currency}",
            lambda r: cost.serving_money(r, bill),
            wording.amount,
            98,
        ),
        Column(
            "storing_money", f"month\n{prices.currency}", lambda r: cost.storing_money(r, prices), wording.amount, 58
        ),
    ]


def remarks(records: Sequence[Record], bill: Bill) -> list[str]:
    """Sentences below the table: how its figures were found, and what they leave out."""
    modes = list(dict.fromkeys(filter(None, map(cost.serving_mode, records))))
    said = ["Building is training and indexing, once, as it was measured, whatever a cache answered."]
    if modes:
        by = modes[0] if len(modes) == 1 else f"{', '.join(modes[:-1])} or {modes[-1]}, as each was timed"
        said.append(f"Serving {wording.count(bill.requests)} requests: {by}, at the rate that the run measured.")
    if any(lookup(record, "phases", "load") for record in records):
        said.append("Loading reads files that the system still holds in memory: from a cold disk it takes longer.")
    if any(cost.time_to(record, bill.share) is not None for record in records):
        until = f"until a round had {bill.share:.0%} of the last round's validation recall"
        said.append(f"To {bill.share:.0%}: seconds of training {until}.")
    if sources := _sources(records):
        found = ", ".join(f"{part} {source}" for part, source in sources)
        said.append(f"Energy is the whole machine's, by codecarbon (~Wh: estimated, not measured): {found}.")
    if bill.prices is not None:
        said.append(f"Prices as given: {bill.prices}. Storage is what building left, for a month.")
        unpriced = [record for record in records if cost.building(record) and not _priced(record, bill)]
        if unpriced:
            which = "All rows" if len(unpriced) == len(records) else f"{len(unpriced)} of {len(records)} rows"
            said.append(f"{which} ran on a processor without a price: gpu_hour is of a GPU, core_hour of the others.")
    return said


def _sources(records: Sequence[Record]) -> list[tuple[str, str]]:
    """Every part of a machine with every way in which these records found its energy."""
    return list(dict.fromkeys(found for record in records for found in cost.energy_sources(record).items()))


def _priced(record: Record, bill: Bill) -> bool:
    return bill.prices is not None and cost.building_money(record, bill.prices) is not None


def _seconds(phase: str) -> Callable[[Record], float | None]:
    return lambda record: number(lookup(record, "phases", phase, "seconds"))
