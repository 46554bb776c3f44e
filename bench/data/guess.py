"""A card made up for a file without one: its separator and its columns guessed from the first lines."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from bench.data.archives import first_octets
from bench.data.cardfile import format_of
from bench.data.cards import ROLES, Card, Source, Table
from bench.data.columns import seconds, whole
from bench.data.formats import explained, one_file, scan
from bench.data.sums import check_not_empty
from bench.errors import DataError, UnknownName, UsageError

_NAMES = {
    "user": "user userid uid customer customerid visitor visitorid member memberid session sessionid reviewerid client "
    "clientid account accountid profileid person personid",
    "item": "item itemid iid product productid movie movieid book bookid sku asin article articleid video videoid song "
    "songid track trackid artist artistid poi location locationid business businessid news newsid content contentid "
    "isbn page pageid game gameid recipe recipeid",
    "time": "time timestamp ts date datetime eventtime createdat unixreviewtime reviewtime unixtime epoch timems "
    "clicktime when day",
    "rating": "rating score stars overall rate",
    "behaviour": "behaviour behavior behaviortype behaviourtype event eventtype action actiontype",
}
_SEPARATORS = ("::", "\t", ",", ";", "|", " ")
_HEAD_BYTES = 1 << 18
_SAMPLED = 1000
# the largest time of the sample, in each unit: 1e11 seconds are the year 5138
_UNITS = ((1e11, "seconds"), (1e14, "milliseconds"), (1e17, "microseconds"))


def card_of(path: Path, columns: Mapping[str, str] | None) -> tuple[Card, str]:
    """A card for the file, and a sentence that says what was taken for what. Raises DataError, UsageError.

    columns: {"user": "uid", ...} instead of the guess from the header's names; in a file without header the columns
    are called 1, 2, 3 ...
    """
    for role in columns or ():
        if role not in ROLES:
            raise UnknownName("role in --columns", role, ROLES)
    roles: dict[str, str] = {}  # of each column
    for role, column in (columns or {}).items():
        if roles.setdefault(column, role) != role:
            raise UsageError(
                f"--columns: column {column!r} cannot be both {roles[column]} and {role}; name another one"
            )
    path = path.expanduser().resolve()
    if not path.is_file():
        raise DataError(f"there is no file {path}. Check --data.")
    check_not_empty(path)
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        source, sample, known = _sampled(path, Path(scratch))
    names = _given(path, columns, known) if columns else _guessed(path, known, source)
    source = replace(source, names=names)
    unit = _unit(path, sample[names["time"]]) if "time" in names else "seconds"
    card = Card(
        name=re.sub(r"[^A-Za-z0-9._-]", "-", path.stem),
        title=path.name,
        note="a file without a card",
        interactions=Table((source,)),
        time_unit=unit,
        folder=path.parent,
        content={**asdict(source), "time_unit": unit, "path": str(path)},
    )
    return card, _sentence(path, source, unit, guessed=not columns)


def _sampled(path: Path, scratch: Path) -> tuple[Source, pl.DataFrame, list[str]]:
    """The file's form, its first rows and its columns."""
    form = format_of(path.name) or "csv"
    if form == "parquet":
        source, head = Source(path.name, form, {}), path
    else:
        octets = first_octets(path, _HEAD_BYTES)
        octets = octets if len(octets) < _HEAD_BYTES else octets[: octets.rfind(b"\n") + 1]
        if not octets.strip():
            raise DataError(f"{path} has no whole line in its first {_HEAD_BYTES:,} bytes: is it a table of text?")
        source = Source(path.name, form, {}) if form == "jsonl" else _delimited(path.name, octets)
        head = scratch / path.stem
        head.write_bytes(octets)
    try:
        if form == "jsonl":
            known = list(json.loads(octets.split(b"\n")[0]))
        elif form == "parquet":
            known = pl.scan_parquet(one_file(head)).collect_schema().names()
        else:
            known = list(source.columns) or _header(head, source)
        return source, scan(head, source, known, (), scratch).head(_SAMPLED).collect(), known
    except (PolarsError, DataError) as error:
        said = explained(head, source, error) if isinstance(error, PolarsError) else error
        raise DataError(str(said).replace(str(head), str(path))) from error
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} line 1 is no JSON object ({error}). Name the file by its format.") from error


def _header(path: Path, source: Source) -> list[str]:
    """The names in the header line."""
    text = path.read_bytes().decode(source.encoding).lstrip("\ufeff").split("\n", 1)[0].rstrip("\r")
    return [name.strip('"') for name in text.split(source.separator)]


def _delimited(name: str, octets: bytes) -> Source:
    try:
        encoding, text = "utf-8", octets.decode()
    except UnicodeDecodeError:
        encoding, text = "latin-1", octets.decode("latin-1")
    lines = [one for one in text.lstrip("\ufeff").splitlines()[:50] if one.strip()]
    counts = {one: {line.count(one) for line in lines} for one in _SEPARATORS}
    even = {one: min(found) for one, found in counts.items() if len(found) == 1 and min(found) > 0}
    separator = max(even, key=lambda one: (even[one] * len(one), -_SEPARATORS.index(one)), default=",")
    if not even and counts["\t"] and min(counts["\t"] or {0}) > 0:
        separator = "\t"
    fields = [one.strip().strip('"') for one in lines[0].split(separator)]
    named = any(_plain(one) in names.split() for one in fields for names in _NAMES.values())
    worded = not any(re.fullmatch(r"-?[0-9.]+", one) for one in fields) and len(lines) > 1
    numbers = any(re.fullmatch(r"-?[0-9.]+", one.strip()) for one in lines[-1].split(separator))
    columns = () if named or (worded and numbers) else tuple(str(at + 1) for at in range(len(fields)))
    quote = '"' if separator in ",;|" else ""
    return Source(name, "csv", {}, separator=separator, encoding=encoding, columns=columns, quote=quote)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _given(path: Path, columns: Mapping[str, str], known: list[str]) -> dict[str, str]:
    for column in columns.values():
        if column not in known and column != "#row":
            raise DataError(f"{path}: {UnknownName('column', column, known)} Correct --columns.")
    if "user" not in columns or "item" not in columns:
        raise DataError(f"{path}: --columns must name both user=... and item=...; the columns are {', '.join(known)}.")
    return dict(columns)


def _guessed(path: Path, known: list[str], source: Source) -> dict[str, str]:
    names: dict[str, str] = {}
    for role, words in _NAMES.items():
        ranked = sorted((words.split().index(_plain(name)), name) for name in known if _plain(name) in words.split())
        if ranked:
            names[role] = ranked[0][1]
    missing = [role for role in ("user", "item") if role not in names]
    if missing:
        header = "it has no header; the columns are called" if source.columns else "its columns are"
        raise DataError(
            f"{path}: no column's name tells the {' and the '.join(missing)} ({header} {', '.join(known)}). Say "
            f"which is which: --columns user={known[0]},item={known[min(1, len(known) - 1)]},time=..."
        )
    return names


def _unit(path: Path, times: pl.Series) -> str:
    """The unit of the sampled times. Raises DataError."""
    frame = times.drop_nulls().alias("time").to_frame()
    numbers = frame.select(whole(pl.col("time")))["time"].drop_nulls()
    if 2 * len(numbers) >= len(frame):
        largest = int(np.abs(numbers.to_numpy()).max(initial=0))
        return next((unit for bound, unit in _UNITS if largest < bound), "nanoseconds")
    if frame.select(seconds(pl.col("time"), "date", ""))["time"].null_count():
        raise DataError(
            f"{path}: {times.name!r} ({frame['time'][0]!r}) is no time: seconds, milliseconds or ISO dates "
            f"(2024-05-31T12:00:00) are read. Name another column by --columns, or write a card with time_format."
        )
    return "date"


def _sentence(path: Path, source: Source, unit: str, *, guessed: bool) -> str:
    told = [f"{role} = {column!r}" for role, column in source.names.items()]
    told = [f"{one} ({unit})" if one.startswith("time =") else one for one in told]
    form = f"separator {source.separator!r}" if source.format == "csv" else source.format
    order = "" if {"time", "order"} & set(source.names) else "; no column tells the order"
    ratings = "; every rating counts as positive" if "rating" in source.names else ""
    mend = " If that is wrong: --columns user=..,item=..,time=.." if guessed else ""
    return f"{path.name}: {form}, {', '.join(told)}{' (guessed)' if guessed else ''}{order}{ratings}.{mend}"
