"""Side information: columns of an item or user file made into features, one row an id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from bench.data.cards import FeatureRule, Source, Table
from bench.data.formats import explained, line, scan
from bench.data.ragged import Ragged
from bench.data.storage import Texts
from bench.data.tables import Categorical, Feature, MultiCategorical, Numeric, Text
from bench.errors import DataError

_CANONICAL = r"^(0|-?[1-9][0-9]{0,17})$"


def read_table(path: Path, source: Source, table: Table, scratch: Path) -> pl.DataFrame:
    """The table's first row of each id, as text columns and `id`; raises DataError."""
    columns = [column for rule in table.features for column in rule.columns]
    lists = [rule.columns[0] for rule in table.features if rule.kind == "multi" and not rule.separator]
    wanted = [*source.names.values(), *columns]
    frame = scan(path, source, wanted, lists if source.format == "jsonl" else (), scratch)
    key = pl.col(source.names["id"])
    try:
        read = frame.filter(~pl.all_horizontal(pl.col(name).is_null() for name in dict.fromkeys(wanted)))
        rows = read.unique(source.names["id"], keep="first", maintain_order=True).collect()
    except PolarsError as error:
        raise explained(path, source, error) from error
    empty = rows.filter(key.is_null() | (key == ""))
    if len(empty):
        raise DataError(f"{path} {line(source, empty['row'][0])} has no {source.names['id']!r}. Correct or remove it.")
    return rows.with_columns(key.alias("id"))


def sorted_ids(ids: pl.Series) -> pl.Series:
    """Distinct raw ids in their order: by number when all are canonical integers, else as text."""
    if ids.str.contains(_CANONICAL).all():
        return ids.to_frame().sort(ids.cast(pl.Int64)).to_series()
    return ids.sort()


def codes(values: pl.Series, names: pl.Series) -> NDArray[np.int32]:
    """The position of each value among the distinct `names`, -1 where it is none of them: int32 [len(values)]."""
    if not len(names):
        return np.full(len(values), -1, np.int32)
    found = values.cast(pl.Enum(names), strict=False).to_physical().cast(pl.Int64).fill_null(-1)
    return found.to_numpy().astype(np.int32)


def make_feature(rule: FeatureRule, rows: pl.DataFrame) -> Feature:
    """The feature of the aligned `rows` (nulls where an id has no row). Raises DataError."""
    try:
        return _made(rule, rows)
    except PolarsError as error:
        said = str(error).partition("\n")[0]
        raise DataError(f"feature {rule.name!r} cannot be made from {', '.join(rule.columns)}: {said}") from error


def _made(rule: FeatureRule, rows: pl.DataFrame) -> Feature:
    if rule.kind == "multi":
        return _multi(rule, rows)
    column = rows[rule.columns[0]]
    if rule.pattern:
        column = column.str.extract(rule.pattern)
    if rule.kind == "numeric":
        return Numeric(column.cast(pl.Float32, strict=False).fill_null(float("nan")).to_numpy())
    if rule.kind == "text":
        return Text(pack(column.fill_null("")))
    column = column.replace("", None)
    names = sorted_ids(column.drop_nulls().unique())
    return Categorical(codes(column, names), pack(names))


def _multi(rule: FeatureRule, rows: pl.DataFrame) -> MultiCategorical:
    if len(rule.columns) > 1:
        marks = rows.select(
            (pl.col(name).fill_null("0").is_in(["", "0", "false"])).not_().alias(name) for name in rule.columns
        ).to_numpy()  # (rows, categories)
        at, which = np.nonzero(marks)
        return MultiCategorical(Ragged.from_keys(at, which.astype(np.int32), len(rows)), Texts.pack(rule.columns))
    column = rows[rule.columns[0]]
    if column.dtype == pl.String:
        parts = column.str.split(rule.separator) if rule.separator else column.str.split("\n")
    else:
        parts = column
    lists = pl.DataFrame({"at": np.arange(len(rows)), "value": parts}).explode("value")
    lists = lists.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    lists = lists.unique(maintain_order=True)
    names = sorted_ids(lists["value"].unique())
    return MultiCategorical(
        Ragged.from_keys(lists["at"].to_numpy(), codes(lists["value"], names), len(rows)), pack(names)
    )


def pack(texts: pl.Series) -> Texts:
    """A text column without nulls as Texts, without a Python loop."""
    return texts_of(pa.chunked_array(texts.to_arrow()).cast(pa.large_string()).combine_chunks())


def texts_of(array: pa.Array) -> Texts:
    """An Arrow large_string array as Texts over the same memory."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not len(array):
        return Texts(np.zeros(1, np.int64), np.zeros(0, np.uint8))
    _, offsets, octets = array.buffers()
    at = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return Texts(at, np.frombuffer(octets or b"", np.uint8))
