"""Which results to show: conditions such as method=dvf, recall@50>0.3 or ef=200."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bench.errors import UnknownName, UsageError
from bench.report.columns import Record, columns, lookup, measured
from bench.report.rows import protocol_text

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "!=": operator.ne, ">=": operator.ge, "<=": operator.le, "=": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip
_TEXTS: dict[str, Callable[[Record], Any]] = {
    "run": lambda record: record.get("run_id"),
    "status": lambda record: record.get("status"),
    "seed": lambda record: record.get("seed"),
    "k": lambda record: record.get("k"),
    "method": lambda record: lookup(record, "method", "name"),
    "version": lambda record: lookup(record, "method", "version"),
    "dataset": lambda record: lookup(record, "task", "dataset"),
    "protocol": protocol_text,
}


def select(records: Iterable[Record], conditions: Sequence[str]) -> list[Record]:
    """The records that meet every condition; raises UsageError for one that cannot be read or names nothing known."""
    rows = list(records)
    for condition in conditions:
        found = re.fullmatch(r"\s*(.+?)\s*(!=|>=|<=|=|>|<)\s*(.*?)\s*", condition)
        if not found:
            raise UsageError(f"--filter {condition!r} is not of the form name=value, name!=value or name>number")
        name, sign, wanted = found[1], found[2], found[3]
        if rows and all(_value(row, name) is None for row in rows):
            raise UnknownName("column", name, _names(rows))
        rows = [row for row in rows if _meets(_value(row, name), sign, wanted)]
    return rows


def newest(records: Iterable[Record]) -> list[Record]:
    """Of executions of one spec the last that went well, else the last."""
    chosen: dict[str, Record] = {}
    for record in records:  # oldest first
        spec = str(record.get("spec_id") or record.get("run_id"))
        if spec not in chosen or record.get("status") == "ok" or chosen[spec].get("status") != "ok":
            chosen[spec] = record
    return list(chosen.values())


def _value(record: Record, name: str) -> Any:
    if name in _TEXTS:
        return _TEXTS[name](record)
    parameters = lookup(record, "method", "params") or {}
    if name in parameters:
        return parameters[name]
    column = next((column for column in columns([record]) if column.name == name), None)
    return column.value(record) if column else measured(record, "metrics", name)


def _names(rows: Sequence[Record]) -> set[str]:
    names = {column.name for column in columns(rows)} | set(_TEXTS)
    for row in rows:
        names |= set(lookup(row, "method", "params") or {})
    return names


def _meets(value: Any, sign: str, wanted: str) -> bool:
    if value is None:
        return False
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _COMPARE[sign](float(value), float(wanted))
        except ValueError:
            raise UsageError(f"--filter compares with {wanted!r}, which is no number") from None
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    if sign not in ("=", "!="):
        raise UsageError(f"--filter: {value!r} is no number, so it is compared by = or != only")
    return _COMPARE[sign](text.lower(), wanted.lower())
