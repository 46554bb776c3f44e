"""Generator cards: written batch by batch in memory that does not grow, checked for order, keyed by their settings."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.data.dataset import load_dataset
from bench.data.generated import Batch, Generated
from bench.data.logfile import LogWriter, open_log
from bench.data.prepare import prepare_generated
from bench.data.tables import Catalog, Categorical
from bench.errors import DataError, ParameterError, UnknownName


def made(batches: Iterator[Batch], users: int = 2) -> Generated:
    colour = Categorical(np.array([0, -1, 1], np.int32), ["red", "blue"])
    return Generated(Catalog(3, {"colour": colour}, np.array([0, 5, 9])), {}, users, batches, "some.module:Truth")


def batch(*rows: tuple[int, int, int]) -> Batch:
    users, items, times = np.array(rows).T
    return users.astype(np.int32), items.astype(np.int32), times.astype(np.int64)


def silent(done: float, total: float, note: str = "") -> None:
    pass


def prepare(folder: Path, *batches: Batch) -> Path:
    folder.mkdir()
    prepare_generated(made(iter(batches)), {}, folder, silent)
    return folder


def test_where_batches_end_makes_no_difference(tmp_path: Path) -> None:
    rows = [(0, 1, 5), (0, 2, 6), (1, 0, 3), (1, 0, 9)]
    one = prepare(tmp_path / "one", batch(*rows))
    other = prepare(tmp_path / "other", batch(*rows[:1]), batch(*rows[1:3]), batch(*rows[3:]))
    for name in ("interactions.arrow", "items.arrow", "users.arrow", "dataset.json"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    log = open_log(one / "interactions.arrow", 2)
    assert log.items.tolist() == [1, 2, 0, 0]
    assert log.by_user[1].tolist() == [0, 0]
    assert not (one / "scratch").exists()


@pytest.mark.parametrize("rows", [[(1, 0, 0), (0, 0, 1)], [(0, 0, 5), (0, 1, 4)]])
def test_a_generator_out_of_order_is_refused(tmp_path: Path, rows: list[tuple[int, int, int]]) -> None:
    with pytest.raises(DataError, match="not sorted by user, then time"):
        prepare(tmp_path / "one", batch(*rows))
    with pytest.raises(DataError, match="not sorted by user, then time"):
        prepare(tmp_path / "two", *(batch(row) for row in rows))
    with pytest.raises(DataError, match="made no interaction"):
        prepare(tmp_path / "three")


def test_columns_are_one_piece_whatever_their_number_and_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.arrow"
    rows, batches = 100_000, 40
    tracemalloc.start()
    with LogWriter(path, tmp_path / "scratch") as writer:
        for number in range(batches):
            users = np.full(rows, number, np.int32)
            writer.append({"users": users, "items": users, "timestamps": np.arange(rows), "ratings": users / 7})
        peak = tracemalloc.get_traced_memory()[1] - rows * batches * 20  # the placeholders, which are never touched
    tracemalloc.stop()
    assert peak < 20e6
    assert path.stat().st_size == pytest.approx(rows * batches * 20, rel=1e-3)
    log = open_log(path, batches)
    assert len(log) == rows * batches
    assert not log.items.flags.owndata
    assert np.array_equal(log.by_user.lengths, np.full(batches, rows))
    assert log.ratings is not None
    assert log.ratings[-1] == np.float32(39 / 7)


def test_settings_make_their_own_data_and_are_checked(tmp_path: Path) -> None:
    def load(name: str) -> Any:
        return load_dataset(name, cache=tmp_path, data_root=None)

    small = load("synthetic:items=200,interactions=2000")
    again = load("synthetic:interactions=2e3,items=200")
    other = load("synthetic:items=200,interactions=2000,seed=1")
    assert small.fingerprint == again.fingerprint != other.fingerprint
    assert small.catalog.size == 200
    assert small.name == "synthetic:items=200,interactions=2000"
    assert small.preferences["parameters"]["items"] == 200
    assert small.time == "seconds"
    assert len(list((tmp_path / "datasets").glob("synthetic-*/"))) == 2
    with pytest.raises(UnknownName, match="Did you mean 'items'"):
        load("synthetic:item=200")
    with pytest.raises(ParameterError, match="items='many' is no int"):
        load("synthetic:items=many")
