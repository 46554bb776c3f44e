"""What is particular to the libraries that are extras: being absent, disconnected graphs, threads."""

import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

from bench import Unavailable
from bench_vector.backends import Effort, Vectors
from bench_vector.hnswlib_index import Hnswlib
from bench_vector.indexed import Indexed
from bench_vector.libraries import LIBRARIES

ROOT = Path(__file__).parents[2]


def random_vectors(count: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, 16), np.float32)


def present(name: str) -> None:
    pytest.importorskip(LIBRARIES[name].module, reason=f"pip install 'bench[{name}]'")


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_missing_library_is_unavailable_and_the_command_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, LIBRARIES[name].module, None)
    said = rf"backend={name} needs {LIBRARIES[name].module} .*: pip install 'bench\[{name}\]'"
    vectors, ids = random_vectors(30), np.arange(30, dtype=np.int32)
    with pytest.raises(Unavailable, match=said):
        Indexed(backend=name).built(vectors, ids, 0)
    with pytest.raises(Unavailable, match=said):
        Indexed(backend=name).opened(vectors, ids, tmp_path)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert len(extras[name]) == 1


@pytest.mark.parametrize("name", LIBRARIES)
def test_threads_change_no_answer(name: str) -> None:
    present(name)
    vectors, users = random_vectors(3000), random_vectors(33, 1)
    backend = Indexed(backend=name).built(vectors, np.arange(3000, dtype=np.int32), 0)
    one, two = (backend.nearest(users, 10, Effort(50, 8, 4), threads) for threads in (1, 2))
    np.testing.assert_array_equal(one.positions, two.positions)
    alone = backend.nearest(users[:1], 10, Effort(50, 8, 4), 1)
    np.testing.assert_array_equal(alone.positions, one.positions[:1])


@pytest.mark.parametrize("name", ["hnsw", *LIBRARIES])
def test_where_a_walk_reaches_too_few_no_item_is_found_twice(name: str) -> None:
    if name in LIBRARIES:
        present(name)
    apart = np.repeat(random_vectors(4) * 100, 400, 0) + random_vectors(1600, 1) / 100  # four far heaps
    backend = Indexed(backend=name, m=2, ef_construction=4).built(apart, np.arange(1600, dtype=np.int32), 0, "l2")
    found = backend.nearest(apart[::40], 900, Effort(ef=1, probes=50), 1)
    for row in found.positions:
        assert len(np.unique(row[row >= 0])) == (row >= 0).sum() > 0
    assert (np.diff(np.where(found.positions >= 0, found.scores, -1e30), axis=1) <= 0).all()


def test_zvec_compares_all_where_its_ef_ends() -> None:
    present("zvec")
    vectors, users = random_vectors(3000), random_vectors(2, 1)
    found = Indexed(backend="zvec").built(vectors, np.arange(3000, dtype=np.int32), 0).nearest(users, 2500, Effort(), 1)
    assert (found.positions == np.argsort(-(users @ vectors.T), 1)[:, :2500]).mean() > 0.99


def test_compared_vectors_are_counted_where_the_library_tells() -> None:
    present("usearch")
    vectors, users = random_vectors(3000), random_vectors(20, 1)
    backend = Indexed(backend="usearch").built(vectors, np.arange(3000, dtype=np.int32), 0)
    less, more = (backend.nearest(users, 10, Effort(ef=ef), 1).spent for ef in (10, 100))
    assert less is not None and more is not None and 20 * 10 < less < more < 20 * 3000


def test_hnsw_stays_the_one_of_hnswlib() -> None:
    assert isinstance(Indexed(backend="hnsw").built(random_vectors(9), np.arange(9, dtype=np.int32), 0), Hnswlib)
