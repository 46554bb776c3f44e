"""The real data sets: their published counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.data.audit import audit
from bench.data.dataset import Dataset, load_dataset
from bench.data.vectors import load_vectors


@pytest.fixture
def load(tmp_path: Path, data_root: Path):  # type: ignore[no-untyped-def]
    def one(name: str) -> Dataset:
        return load_dataset(name, cache=tmp_path, data_root=data_root)

    return one


def counts(data: Dataset) -> tuple[int, int, int, int]:
    used = int((np.bincount(data.interactions.items, minlength=data.catalog.size) > 0).sum())
    return len(data.interactions), data.users, used, data.catalog.size


@pytest.mark.data("movielens-1m")
def test_movielens_1m(load) -> None:  # type: ignore[no-untyped-def]
    data = load("movielens-1m")
    assert counts(data) == (575_281, 6_038, 3_533, 3_883)
    assert audit(data)["tied_share"] == pytest.approx(0.43, abs=0.01)
    assert data.described.all()
    assert data.catalog.features["title"].values[0] == "Toy Story (1995)"
    assert set(data.profiles) == {"gender", "age", "occupation"}


@pytest.mark.data("movielens-100k")
def test_movielens_100k(load) -> None:  # type: ignore[no-untyped-def]
    data = load("movielens-100k")
    assert counts(data) == (55_375, 942, 1_447, 1_682)
    genres = data.catalog.features["genres"]
    assert [genres.names[code] for code in genres.codes[0]] == ["Animation", "Children's", "Comedy"]


@pytest.mark.data("epinions")
def test_epinions(load) -> None:  # type: ignore[no-untyped-def]
    data = load("epinions")
    assert counts(data) == (922_267, 22_164, 296_277, 296_277)
    assert audit(data)["repeated_interactions"] == 9_826
    assert data.time == "periods"


@pytest.mark.data("bookcrossing")
def test_bookcrossing(load) -> None:  # type: ignore[no-untyped-def]
    data = load("bookcrossing")
    assert counts(data) == (272_678, 2_946, 17_384, 17_384)
    assert data.time == "none"
    assert data.interactions.timestamps is None


@pytest.mark.data("mnist")
def test_mnist(tmp_path: Path, data_root: Path) -> None:
    found = load_vectors("mnist", cache=tmp_path, data_root=data_root)
    assert (found.train.shape, found.test.shape) == ((60_000, 784), (10_000, 784))
    assert found.neighbors is not None
    nearest = np.square(found.train[found.neighbors[:5, 0]] - found.test[:5]).sum(1)
    assert (nearest[:, None] <= np.square(found.train[None, :1000] - found.test[:5, None]).sum(2)).all()
