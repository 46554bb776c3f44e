"""Reading a table's file as text columns: csv and its kin, json lines and parquet, lazily, by polars."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterable
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from bench.data.cards import Source
from bench.errors import DataError, UnknownName

_UNIT = "\x1f"  # stands for a separator of several characters; no text file uses it
_CHUNK = 1 << 24


def scan(path: Path, source: Source, wanted: Iterable[str], lists: Iterable[str], scratch: Path) -> pl.LazyFrame:
    """The `wanted` columns of the file as text (those in `lists` may be lists of text) and `row`, counted from 0.

    Raises DataError for a file without rows and for a missing column. Damage further down raises a PolarsError when
    the frame is collected: hand it to `explained`.
    """
    columns = list(dict.fromkeys(wanted))
    try:
        if source.format == "parquet":
            frame = pl.scan_parquet(one_file(path))
        elif source.format == "jsonl":
            return _json_lines(path, columns, set(lists)).with_row_index("row")
        else:
            frame = _delimited(path, source, scratch)
        schema = frame.collect_schema()
    except PolarsError as error:
        raise explained(path, source, error) from error
    missing = [name for name in columns if name not in schema.names()]
    if missing:
        whole = len(schema) == 1 and source.format != "parquet"
        mend = f"separator = {source.separator!r}, or the name," if whole else "the name"
        raise DataError(f"{path}: {UnknownName('column', missing[0], schema.names())} Correct {mend} in the card.")
    texts = [
        pl.col(name).cast(pl.List(pl.String) if isinstance(schema[name], pl.List) else pl.String) for name in columns
    ]
    return frame.select(texts).with_row_index("row")


def one_file(path: Path) -> str:
    """The path as polars takes it for that file alone, where a plain "clicks [2024].csv" is a pattern."""
    return glob.escape(str(path))


def line(source: Source, row: int) -> str:
    """What a person calls row `row` (from 0) of the file."""
    if source.format == "parquet":
        return f"row {row + 1:,}"
    return f"line {row + (1 if source.columns or source.format == 'jsonl' else 2):,}"


def explained(path: Path, source: Source, error: PolarsError) -> DataError:
    """The error that names file, line and mend for what polars could not read."""
    said = str(error).strip().partition("\n")[0]
    if source.format == "parquet":
        return DataError(f"{path} is damaged or truncated: {said}. Delete it and copy or download it again.")
    if path.stat().st_size == 0 or "empty CSV" in said:
        return DataError(f"{path} is empty. Copy or download it again.")
    bad = _bad_json(path) if source.format == "jsonl" else _bad_delimited(path, source)
    return DataError(f"{path}{bad}" if bad else f"{path} cannot be read: {said}. Check its format in the card.")


def _delimited(path: Path, source: Source, scratch: Path) -> pl.LazyFrame:
    separator = source.separator
    if len(separator) != 1 or source.encoding.lower() not in ("utf-8", "utf8"):
        path = _rewritten(path, source, scratch)
        separator = _UNIT if len(separator) != 1 else separator
    return pl.scan_csv(
        one_file(path),
        separator=separator,
        quote_char=source.quote or None,
        has_header=not source.columns,
        schema=dict.fromkeys(source.columns, pl.String) if source.columns else None,
        infer_schema=False,
    )


def _rewritten(path: Path, source: Source, scratch: Path) -> Path:
    """A copy in UTF-8 with a separator of one character."""
    scratch.mkdir(parents=True, exist_ok=True)
    out = scratch / f"{path.name}.utf8"
    separator = source.separator.encode(source.encoding)
    with path.open("rb") as handle, out.open("wb") as sink:
        while block := handle.read(_CHUNK):
            block += handle.readline()
            if len(source.separator) != 1:
                block = block.replace(separator, _UNIT.encode(source.encoding))
            try:
                sink.write(block.decode(source.encoding).encode())
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path} is not in {source.encoding} ({error.reason}). Correct encoding = ... in the card."
                ) from error
    return out


def _json_lines(path: Path, columns: list[str], lists: set[str]) -> pl.LazyFrame:
    schema = {name: pl.List(pl.String) if name in lists else pl.String for name in columns}
    with path.open(encoding="utf-8", errors="replace") as handle:
        first = handle.readline()
    try:
        keys = list(json.loads(first))
    except ValueError:
        raise DataError(f"{path} line 1 is no JSON: {first.strip()[:80]!r}. Each line must be one object.") from None
    missing = [name for name in columns if name not in keys]
    if missing:
        raise DataError(f"{path}: {UnknownName('key', missing[0], keys)} Line 1 must hold every key of the card.")
    return pl.scan_ndjson(one_file(path), schema=schema)


def _bad_json(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as handle:
        for number, text in enumerate(handle, 1):
            try:
                json.loads(text or "{}")
            except ValueError as error:
                return f" line {number:,} is no JSON ({error}): {text.strip()[:80]!r}. Correct or remove the line."
    return ""


def _bad_delimited(path: Path, source: Source) -> str:
    """What is wrong with the first line that is: its encoding, the number of its fields or its quotes."""
    separator = source.separator if len(source.separator) == 1 else _UNIT
    expected = len(source.columns)
    with path.open("rb") as handle:
        for number, octets in enumerate(handle, 1):
            try:
                text = octets.decode(source.encoding).rstrip("\r\n")
            except UnicodeDecodeError:
                return (
                    f" line {number:,} is not in {source.encoding}. Say encoding = 'latin-1' (or another) in the card."
                )
            if not text.strip():
                continue
            text = text.replace(source.separator, separator)
            if source.quote and text.count(source.quote) % 2:
                return f" line {number:,} has a quote that is not closed: {text[:80]!r}. Correct it, or say quote = ''."
            fields = text.count(separator) + 1
            if source.quote:
                fields = len(next(csv.reader([text], delimiter=separator, quotechar=source.quote)))
            expected = expected or fields
            if fields != expected:
                return (
                    f" line {number:,} has {fields} fields instead of {expected}: {text[:80]!r}. Correct or remove the "
                    f"line, or check separator = {source.separator!r} in the card."
                )
    return ""
