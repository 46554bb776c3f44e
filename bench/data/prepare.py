"""From a card's tables to a prepared folder: interactions.arrow, items.arrow, users.arrow and dataset.json."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PolarsError

from bench.context import Progress
from bench.data.cards import Card, Source, Table
from bench.data.columns import bad_row, kept, seconds, typed
from bench.data.features import codes, make_feature, pack, read_table, sorted_ids
from bench.data.formats import explained, scan
from bench.data.generated import Generated
from bench.data.logfile import LogWriter
from bench.data.ordering import core, sorted_rows, stable_hash, tie_hash, unsorted_rows
from bench.data.sources import Located
from bench.data.sums import file_sum
from bench.data.tablefile import write_table
from bench.data.tables import Features
from bench.errors import DataError

VERSION = 1  # of the prepared form; part of the fingerprint and of the folder's identity
_HASHED_BYTES = 1 << 25  # files up to this size are checked octet by octet when they are opened


@dataclass(frozen=True, slots=True)
class Log:
    """Interactions read from a file: columns of one length, with codes into raw ids that are in no particular order."""

    columns: dict[str, NDArray[Any]]  # users, items int32; timestamps, ratings, behaviours where there are
    order: NDArray[np.int64] | None
    user_ids: pl.Series
    item_ids: pl.Series
    behaviours: tuple[str, ...]
    dropped: dict[str, int]


def prepare_tables(card: Card, tables: Mapping[str, Located], ties: str, folder: Path, progress: Progress) -> None:
    """Fill the empty `folder` from the located tables "interactions", "items" and "users". Raises DataError."""
    scratch = folder / "scratch"
    with _naming(tables["interactions"], scratch):
        log = read_log(card, tables["interactions"], scratch, progress)
    progress(0.5, 1.0, "ordering")
    items, item_ids = _side(card, card.items, tables.get("items"), scratch)
    # a card with a k-core on items means the core and nothing else, whatever its item file lists
    known = [log.item_ids] if item_ids is None or card.k_core[1] > 1 else [log.item_ids, item_ids]
    all_items = sorted_ids(pl.concat(known).unique())
    all_users = sorted_ids(log.user_ids)
    place = {"users": codes(log.user_ids, all_users), "items": codes(log.item_ids, all_items)}
    columns = {**log.columns, **{name: to[log.columns[name]] for name, to in place.items()}}
    hashes = None
    if ties == "hash":
        hashes = tie_hash(
            stable_hash(log.user_ids)[log.columns["users"]], stable_hash(log.item_ids)[log.columns["items"]]
        )
    rows = sorted_rows(columns, log.order, hashes)
    progress(0.8, 1.0, "writing")
    with LogWriter(folder / "interactions.arrow", scratch) as writer:
        writer.append({name: column[rows] for name, column in columns.items()})
    users, _ = _side(card, card.users, tables.get("users"), scratch)
    described = codes(all_items, item_ids) >= 0 if item_ids is not None else np.zeros(len(all_items), np.bool_)
    extra: dict[str, NDArray[Any]] = {"described": described}
    if items is not None and "first_seen" in items.columns:
        extra["first_seen"] = _aligned(items, all_items)["first_seen"].fill_null(0).to_numpy()
    digests = {"interactions": writer.digests}
    digests["items"] = write_table(
        folder / "items.arrow", pack(all_items), _features(card.items, items, all_items), extra
    )
    digests["users"] = write_table(folder / "users.arrow", pack(all_users), _features(card.users, users, all_users), {})
    about = {
        "users": len(all_users),
        "behaviours": log.behaviours,
        "dropped": log.dropped,
        "unsorted": unsorted_rows(log.columns["users"], log.columns.get("timestamps")),
        "time": card.time,
        "label": card.items.label if card.items else None,
    }
    rules = {"keep": card.keep, "k_core": card.k_core, "ties": ties, "time": card.time, "behaviours": log.behaviours}
    _finish(folder, about, rules, digests)


def prepare_generated(generated: Generated, about: Mapping[str, Any], folder: Path, progress: Progress) -> None:
    """Fill the empty `folder` from a generator, batch by batch. about: what dataset.json says beside the counts."""
    before = (-1, 0)
    with LogWriter(folder / "interactions.arrow", folder / "scratch") as writer:
        for users, items, timestamps in generated.batches:
            if not len(users):
                continue
            steps = np.diff(users)
            if (
                (int(users[0]), int(timestamps[0])) < before
                or (steps < 0).any()
                or (np.diff(timestamps)[steps == 0] < 0).any()
            ):
                raise DataError("the generator's interactions are not sorted by user, then time: correct the generator")
            before = (int(users[-1]), int(timestamps[-1]))
            writer.append({"users": users, "items": items, "timestamps": timestamps})
            progress(float(users[-1] + 1), float(generated.users), f"generating · {writer.rows:,} interactions")
    if not writer.rows:
        raise DataError("the generator made no interaction: raise its sizes or correct the generator")
    size = generated.items.size
    extra: dict[str, NDArray[Any]] = {"described": np.ones(size, np.bool_)}
    if generated.items.first_seen is not None:
        extra["first_seen"] = generated.items.first_seen
    digests = {"interactions": writer.digests}
    digests["items"] = write_table(folder / "items.arrow", _numbers(size), generated.items.features, extra)
    digests["users"] = write_table(folder / "users.arrow", _numbers(generated.users), generated.profiles, {})
    _finish(
        folder,
        {
            "unsorted": 0,
            "users": generated.users,
            "behaviours": (),
            "dropped": {},
            "time": "seconds",
            "label": generated.label,
            **about,
        },
        {"ties": "generator", "preferences": generated.preferences},
        digests,
    )


def read_log(card: Card, found: Located, scratch: Path, progress: Progress) -> Log:
    """The rows that the card's positive rule and k-core keep. Raises DataError for the first bad row."""
    progress(0.0, 1.0, f"reading {found.path.name}")
    source = found.source
    path = found.opened(scratch)
    shown = found.path if path == found.path else found.path / path.name
    wanted = [name for name in source.names.values() if not name.startswith("#")]
    frame = typed(scan(path, source, wanted, (), scratch), card, source)
    rule = kept(card)
    passing = frame if rule is None else frame.filter(rule)
    try:
        counts, bad, users, items, behaviours = pl.collect_all(
            [
                frame.select(pl.len().alias("all"), pl.col("bad").count().alias("bad")),
                frame.filter(pl.col("bad").is_not_null()).head(1),
                passing.select(pl.col("user").unique()),
                passing.select(pl.col("item").unique()),
                frame.select(pl.col("behaviour" if "behaviour" in source.names else "bad").unique().sort()),
            ]
        )
        if len(bad):
            raise _bad(path, shown, card, source, bad, int(counts["bad"][0]), scratch)
        names = card.behaviours or tuple(behaviours["behaviour"]) if "behaviour" in source.names else ()
        if len(names) > 127:
            raise DataError(f"{shown}: {len(names)} different behaviours; is {source.names['behaviour']!r} the column?")
        progress(0.2, 1.0, f"reading {found.path.name}")
        encoded = [
            pl.col("user").cast(pl.Enum(users["user"])).to_physical().cast(pl.Int32).alias("users"),
            pl.col("item").cast(pl.Enum(items["item"])).to_physical().cast(pl.Int32).alias("items"),
        ]
        further = {"time": "timestamps", "rating": "ratings", "order": "order"}
        encoded += [pl.col(role).alias(name) for role, name in further.items() if role in source.names]
        if names:
            encoded.append(pl.col("behaviour").cast(pl.Enum(names)).to_physical().cast(pl.Int8).alias("behaviours"))
        table = passing.select(encoded).collect()
    except PolarsError as error:
        raise explained(path, source, error) from error
    if "ratings" in table.columns:
        table = table.with_columns(pl.col("ratings").fill_null(float("nan")))
    columns = {name: table[name].to_numpy() for name in table.columns}
    dropped = {} if not card.keep else {f"not {card.keep}": int(counts["all"][0]) - len(table)}
    return _core(card, shown, columns, users["user"], items["item"], names, dropped)


def _core(
    card: Card,
    path: Path,
    columns: dict[str, NDArray[Any]],
    users: pl.Series,
    items: pl.Series,
    behaviours: tuple[str, ...],
    dropped: dict[str, int],
) -> Log:
    if max(card.k_core) > 1:
        rows = core(columns["users"], columns["items"], card.k_core)
        dropped = {**dropped, "k-core": int(len(rows) - rows.sum())}
        columns = {name: column[rows] for name, column in columns.items()}
        for name, ids in (("users", users), ("items", items)):
            used = np.bincount(columns[name], minlength=len(ids)) > 0
            columns[name] = (np.cumsum(used) - 1).astype(np.int32)[columns[name]]
            users, items = (ids.filter(used), items) if name == "users" else (users, ids.filter(used))
    if not len(columns["users"]):
        reasons = ", ".join(f"{count:,} by {reason}" for reason, count in dropped.items() if count)
        mend = (
            f"dropped {reasons}. Check keep and k_core in the card." if reasons else "it holds no row. Copy it again."
        )
        raise DataError(f"{path} leaves no interaction: {mend}")
    return Log(columns, columns.pop("order", None), users, items, behaviours, dropped)


def _bad(
    path: Path, shown: Path, card: Card, source: Source, bad: pl.DataFrame, count: int, scratch: Path
) -> DataError:
    row, role = int(bad["row"][0]), str(bad["bad"][0])
    column = source.names[role]
    value = scan(path, source, [column], (), scratch).filter(pl.col("row") == row).collect()[column]
    return bad_row(shown, card, source, row, role, value[0], count)


def _side(
    card: Card, table: Table | None, found: Located | None, scratch: Path
) -> tuple[pl.DataFrame | None, pl.Series | None]:
    if table is None or found is None:
        return None, None
    with _naming(found, scratch):
        rows = read_table(found.opened(scratch), found.source, table, scratch)
    if "first_seen" in found.source.names:
        moments = seconds(pl.col(found.source.names["first_seen"]), card.time_unit, card.time_format)
        rows = rows.with_columns(moments.alias("first_seen"))
    return rows, rows["id"]


@contextlib.contextmanager
def _naming(found: Located, scratch: Path) -> Iterator[None]:
    """Errors name the archive, not the copy of its member in `scratch`, which is gone by then."""
    try:
        yield
    except DataError as error:
        said = str(error).replace(f"{scratch}/", f"{found.path}/")
        if said == str(error):
            raise
        raise DataError(said) from error


def _aligned(rows: pl.DataFrame, wanted: pl.Series) -> pl.DataFrame:
    return wanted.alias("id").to_frame().join(rows, on="id", how="left", maintain_order="left")


def _features(table: Table | None, rows: pl.DataFrame | None, wanted: pl.Series) -> Features:
    if table is None or rows is None:
        return {}
    aligned = _aligned(rows, wanted)
    return {rule.name: make_feature(rule, aligned) for rule in table.features}


def _numbers(count: int) -> Any:
    return pack(pl.int_range(count, eager=True).cast(pl.String))


def _finish(folder: Path, about: Mapping[str, Any], rules: Mapping[str, Any], digests: Mapping[str, Any]) -> None:
    shutil.rmtree(folder / "scratch", ignore_errors=True)
    files = {}
    for name in ("interactions.arrow", "items.arrow", "users.arrow"):
        path = folder / name
        size = path.stat().st_size
        files[name] = {"bytes": size, "sum": file_sum(path) if size <= _HASHED_BYTES else None}
    said = json.dumps([VERSION, rules, digests], sort_keys=True)
    content = {
        "version": VERSION,
        "fingerprint": hashlib.sha256(said.encode()).hexdigest(),
        **about,
        "rules": rules,
        "files": files,
    }
    (folder / "dataset.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
