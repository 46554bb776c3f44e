"""Columns of text made into numbers and times; a value that cannot be one is a DataError naming file, row and mend."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from bench.data.cards import ROW_ORDER, Card, Source
from bench.data.formats import line
from bench.errors import DataError

_DIVISOR = {"seconds": 1, "milliseconds": 1_000, "microseconds": 1_000_000, "nanoseconds": 1_000_000_000, "periods": 1}
_COMPARISON = re.compile(r"^\s*(user|item|time|rating|behaviour)\s*(>=|<=|==|!=|>|<|in)\s*(.+?)\s*$")


def typed(frame: pl.LazyFrame, card: Card, source: Source) -> pl.LazyFrame:
    """user, item (text), time, order (int64), rating (float32), behaviour (text), row and `bad`.

    Only the columns that the source names; bad: the first role whose value cannot be used, null where all can. A line
    without any value is left out.
    """
    names = {role: column for role, column in source.names.items() if column != ROW_ORDER}
    raw = {role: pl.col(column) for role, column in names.items()}
    made: dict[str, pl.Expr] = {role: raw[role] for role in ("user", "item", "behaviour") if role in raw}
    if "time" in raw:
        made["time"] = seconds(raw["time"], card.time_unit, card.time_format)
    if "rating" in raw:
        made["rating"] = raw["rating"].replace("", None).cast(pl.Float32, strict=False)
    if "order" in source.names:
        made["order"] = pl.col("row").cast(pl.Int64) if "order" not in raw else whole(raw["order"])
    bad = pl.lit(None, pl.String)
    for role in reversed(names):
        unusable = made[role].is_null() if role != "rating" else made[role].is_null() & (raw[role].fill_null("") != "")
        if role in ("user", "item"):
            unusable = unusable | (raw[role] == "")
        if role == "behaviour" and card.behaviours:
            unusable = unusable | ~made[role].is_in(list(card.behaviours))
        bad = pl.when(unusable).then(pl.lit(role)).otherwise(bad)
    empty = pl.all_horizontal([column.is_null() for column in raw.values()])
    return frame.filter(~empty).select(
        [column.alias(role) for role, column in made.items()] + [pl.col("row"), bad.alias("bad")]
    )


def whole(column: pl.Expr) -> pl.Expr:
    """Text as int64; decimals are cut; null where it is no number."""
    decimal = column.cast(pl.Float64, strict=False)
    return pl.coalesce(
        column.cast(pl.Int64, strict=False),
        pl.when(decimal.is_finite()).then(decimal.floor()).cast(pl.Int64, strict=False),
    )


def seconds(column: pl.Expr, unit: str, form: str) -> pl.Expr:
    """Text as int64 seconds since 1970 (or the number of a period); null where it is no time."""
    if unit == "date":
        if form:
            moments = column.str.to_datetime(form, strict=False, time_unit="us")
        else:
            plain = column.str.replace(r"^(\d{4}-\d\d-\d\d)[T ]?", "${1}T").str.replace(r"(Z|\+00:?00)$", "")
            plain = pl.when(plain.str.ends_with("T")).then(plain + "00:00:00").otherwise(plain)
            moments = pl.coalesce(
                plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", strict=False, time_unit="us"),
                plain.str.to_datetime("%Y-%m-%dT%H:%M", strict=False, time_unit="us"),
                plain.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_unit="us").dt.replace_time_zone(
                    None
                ),
            )
        return moments.dt.epoch("s")
    return whole(column) // _DIVISOR[unit]


def kept(card: Card) -> pl.Expr | None:
    """The positive rule as an expression over the typed columns; None where there is none. Raises DataError."""
    rule = None
    for part in card.keep.split(" and ") if card.keep else ():
        one = _comparison(card, part)
        rule = one if rule is None else rule & one
    return None if rule is None else rule.fill_null(False)


def _comparison(card: Card, text: str) -> pl.Expr:
    found = _COMPARISON.match(text)
    names = card.interactions.sources[0].names if card.interactions else {}
    if found is None or found[1] not in names:
        raise DataError(
            f"card {card.name}: keep = {card.keep!r} cannot be understood at {text.strip()!r}. Write for example "
            f"'rating >= 4' or 'behaviour in buy, cart'; columns: {', '.join(names)}."
        )
    role, operator, value = found.groups()
    column = pl.col(role)
    if operator == "in":
        return column.cast(pl.String).is_in([one.strip().strip("'\"") for one in value.split(",")])
    operand: float | str = value.strip("'\"")
    if role in ("rating", "time"):
        try:
            operand = float(operand)
        except ValueError:
            raise DataError(f"card {card.name}: keep = {card.keep!r} compares {role} with {value}, no number") from None
    by_name = {
        ">=": column.ge,
        "<=": column.le,
        "==": column.eq,
        "!=": column.ne,
        ">": column.gt,
        "<": column.lt,
    }
    return by_name[operator](operand)


def bad_row(path: Path, card: Card, source: Source, row: int, role: str, value: str | None, count: int) -> DataError:
    """The error for the first bad row of `count`."""
    column = source.names[role]
    where = f"{path} {line(source, row)}"
    also = f" ({count - 1:,} more rows are bad)" if count > 1 else ""
    if value is None or value == "":
        return DataError(
            f"{where} has no value for {role} (column {column!r}){also}. Correct or remove the row; if it "
            f"is the last, the file may be cut short: copy or download it again."
        )
    mend = "Correct or remove the row."
    if role == "behaviour":
        mend += f" The card knows {', '.join(card.behaviours)}."
    if role == "time":
        mend += f" The card says time_unit = {card.time_unit!r}" + (
            f" and time_format = {card.time_format!r}." if card.time_format else "; dates need time_unit = 'date'."
        )
    return DataError(f"{where}: {role} (column {column!r}) is {value!r}, which cannot be used{also}. {mend}")
