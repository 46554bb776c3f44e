"""The index back ends against exact search, behind one interface and saved and loaded."""

from pathlib import Path

import numpy as np
import pytest

from bench import Answer, ParameterError, Ragged, Requests
from bench_vector.backends import Backend, Effort, Metric, Vectors, rescored, search
from bench_vector.faiss_index import Faiss
from bench_vector.hnswlib_index import Hnswlib
from bench_vector.indexed import FACTORIES, Indexed
from bench_vector.libraries import LIBRARIES

BACKENDS = ("hnsw", *FACTORIES, *LIBRARIES)
DIFFERENT = ("scann", "zvec")  # from build to build: neither takes a seed
MOST = Effort(ef=2000, probes=200, refine=40)


def random_vectors(count: int, seed: int = 0) -> Vectors:
    return np.random.default_rng(seed).standard_normal((count, 32), np.float32)


def clustered(count: int) -> Vectors:
    """Vectors of different length around a few centres."""
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((20, 32), np.float32)
    near = centres[rng.integers(0, 20, count)] + 0.3 * rng.standard_normal((count, 32), np.float32)
    return (near * rng.uniform(0.5, 2, (count, 1))).astype(np.float32)


def needed(name: str) -> None:
    """Skip where the library of the back end is not installed."""
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name].module, reason=f"pip install 'bench[{name}]'")


def made(name: str, vectors: Vectors, metric: Metric = "inner") -> Backend:
    needed(name)
    ids = np.arange(len(vectors), dtype=np.int32) * 3  # only each third item is eligible
    return Indexed(backend=name, m=16, code_bytes=8).built(vectors, ids, 0, metric)


def asking(rows: list[list[int]]) -> Requests:
    count = len(rows)
    return Requests(np.arange(count), np.full(count, -1, np.int32), Ragged.empty(count), Ragged.from_rows(rows))


def exact(users: Vectors, vectors: Vectors, metric: Metric) -> Vectors:
    """Scores [B, C]."""
    if metric == "inner":
        return users @ vectors.T
    return -((users[:, None] - vectors) ** 2).sum(2)


@pytest.mark.parametrize("metric", ["inner", "l2"])
@pytest.mark.parametrize("name", BACKENDS)
def test_with_enough_effort_search_is_brute_force_over_what_is_eligible_and_not_excluded(
    name: str, metric: Metric
) -> None:
    vectors, users, rng = clustered(1500), random_vectors(40, 1), np.random.default_rng(2)
    requests = asking([sorted(rng.choice(4500, row * 10, replace=False)) for row in range(40)])
    answer = search(made(name, vectors, metric), users, requests, 10, MOST, threads=1)
    expected = Answer.top(np.arange(1500, dtype=np.int32) * 3, exact(users, vectors, metric), 10, requests.exclude)
    assert (answer.ids == expected.ids).mean() > (0.999 if name in ("flat", "ivf") else 0.97)
    found = answer.ids == expected.ids
    np.testing.assert_allclose(answer.scores[found], expected.scores[found], rtol=2e-4, atol=1e-4)
    assert all(not set(row) & set(out) for row, out in zip(answer.ids.tolist(), requests.exclude, strict=True))


@pytest.mark.parametrize("name", [name for name in BACKENDS if name != "flat"])
def test_more_effort_finds_more(name: str) -> None:
    vectors, users = clustered(4000), random_vectors(60, 1)
    backend, requests = made(name, vectors), asking([[]] * 60)
    wanted = Answer.top(backend.ids, users @ vectors.T, 10).ids
    shares = []
    for effort in (Effort(10, 1, 1), Effort(40, 8, 4), MOST):
        answer = search(backend, users, requests, 10, effort, 1)
        shares.append(np.mean([np.isin(*rows).mean() for rows in zip(wanted, answer.ids, strict=True)]))
    assert (
        shares[0] <= shares[1] <= shares[2]
        and shares[0] < shares[2]
        and shares[2] > (0.9 if name == "rabitq" else 0.97)
    )


@pytest.mark.parametrize("metric", ["inner", "l2"])
@pytest.mark.parametrize("name", BACKENDS)
def test_what_is_saved_answers_as_before_with_the_effort_of_the_query(
    name: str, metric: Metric, tmp_path: Path
) -> None:
    needed(name)
    vectors, users = clustered(2000), random_vectors(20, 1)
    how = Indexed(backend=name, code_bytes=8)
    ids = np.arange(2000, dtype=np.int32)
    backend = how.built(vectors, ids, 3, metric)
    for effort in (Effort(400, 50, 20), Effort(12, 2, 2)):  # the index in memory has met another effort before
        found = backend.nearest(users, 10, effort, 1)
        folder = tmp_path / str(effort.ef)
        folder.mkdir()
        backend.save(folder)
        again = how.opened(vectors, ids, folder, metric).nearest(users, 10, effort, 1)
        assert (again.positions == found.positions).all() and again.spent == found.spent
        np.testing.assert_array_equal(again.scores, found.scores)


@pytest.mark.parametrize("name", [name for name in BACKENDS if name not in DIFFERENT])
def test_the_same_vectors_and_seed_make_the_same_index(name: str) -> None:
    vectors, users = clustered(2000), random_vectors(20, 1)
    first, second = (made(name, vectors).nearest(users, 20, Effort(20, 4, 2), 1) for _ in range(2))
    assert (first.positions == second.positions).all()


def test_compared_vectors_are_counted() -> None:
    vectors, users = clustered(2000), random_vectors(20, 1)

    def spent(name: str, effort: Effort) -> int | None:
        return made(name, vectors).nearest(users, 10, effort, 1).spent

    assert spent("flat", Effort()) == 20 * 2000
    lists = min(round(4 * 2000**0.5), 2000 // 39)
    assert spent("ivf", Effort(probes=lists)) == 20 * (2000 + lists)
    assert spent("ivf_pq", Effort(probes=lists, refine=3)) == 20 * (2000 + lists + 30)
    less, more = (spent("hnsw_faiss", Effort(ef=ef)) for ef in (10, 100))
    assert less is not None and more is not None and 20 * 10 < less < more < 20 * 2000
    assert spent("hnsw", Effort()) is None and spent("nsg", Effort()) is None
    answer = search(made("ivf", vectors), users, asking([[]] * 20), 10, Effort(probes=lists), 1)
    assert answer.work is not None and (answer.work == 2000 + lists).all()


@pytest.mark.parametrize("factory", ["IVF16,SQ8", "PCA28,IVF16,Flat", "OPQ4_32,IVF16,PQ4x4", "HNSW8,PQ4x4"])
def test_any_factory_string_of_faiss_is_an_index(factory: str, tmp_path: Path) -> None:
    vectors, users = clustered(2000), random_vectors(20, 1)
    how, ids = Indexed(factory=factory), np.arange(2000, dtype=np.int32)
    backend = how.built(vectors, ids, 0)
    found = backend.nearest(users, 10, MOST, 1)
    wanted = np.argsort(-(users @ vectors.T), 1)[:, :10]
    assert np.mean([np.isin(*rows).mean() for rows in zip(wanted, found.positions, strict=True)]) > 0.6
    backend.save(tmp_path)
    again = how.opened(vectors, ids, tmp_path).nearest(users, 10, MOST, 1)
    assert (again.positions == found.positions).all()


def test_a_factory_string_that_faiss_does_not_know_is_refused_at_once() -> None:
    with pytest.raises(ParameterError, match="faiss makes no index of factory=IVF10,Flatt"):
        Indexed(factory="IVF10,Flatt")


def test_too_few_vectors_for_a_quantiser_are_named() -> None:
    with pytest.raises(ParameterError, match=r"IVF1,PQ8x8 over 50 vectors: .*training points"):
        made("ivf_pq", random_vectors(50))


SMALL = ("flat", "hnsw", "hnsw_faiss", *LIBRARIES)


@pytest.mark.parametrize("name", SMALL)
def test_k_above_the_catalog_gives_all_that_there_is(name: str) -> None:
    answer = search(made(name, random_vectors(7)), random_vectors(2), asking([[0, 3], []]), 9, Effort(ef=1), threads=1)
    assert answer.ids.shape == (2, 9)
    assert sorted(answer.ids[0])[:4] == [-1] * 4 and (answer.ids[0] >= 0).sum() == 5
    assert (answer.ids[1] >= 0).sum() == 7


@pytest.mark.parametrize("name", SMALL)
def test_a_catalog_without_an_eligible_item_gives_nothing(name: str) -> None:
    answer = search(made(name, random_vectors(0)), random_vectors(2), asking([[], []]), 3, Effort(ef=1), threads=1)
    assert (answer.ids == -1).all()


@pytest.mark.parametrize("metric", ["inner", "l2"])
def test_what_is_found_is_put_in_order_by_the_vectors_themselves(metric: Metric) -> None:
    vectors, users = random_vectors(500), random_vectors(150, 1)
    rng = np.random.default_rng(2)
    positions = np.argsort(rng.random((150, 500)), 1)[:, :60]
    positions[3, 4:], positions[5] = -1, -1  # four found, and none
    best, scores = rescored(users, vectors, positions, 9, metric)
    expected = Answer.top(positions.astype(np.int32), every(users, vectors, positions, metric), 9)
    np.testing.assert_array_equal(best, expected.ids)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-4, atol=1e-5)
    assert rescored(users, vectors, positions[:, :2], 9, metric)[0].shape == (150, 2)


def every(users: Vectors, vectors: Vectors, positions: np.ndarray, metric: Metric) -> Vectors:
    """Scores of positions [B, K], -inf where there is none."""
    scores = np.take_along_axis(exact(users, vectors, metric), np.maximum(positions, 0), 1)
    return np.where(positions >= 0, scores, -np.inf).astype(np.float32)


@pytest.mark.parametrize("name", ["flat", "hnsw", "ivf_pq"])
def test_requests_that_exclude_and_that_do_not_are_answered_alike(name: str) -> None:
    vectors, users = clustered(2000), random_vectors(20, 1)
    backend = made(name, vectors)
    nothing = search(backend, users, asking([[]] * 20), 10, MOST, 1)
    beyond = search(backend, users, asking([[1]] * 20), 10, MOST, 1)  # an id that is not eligible
    mixed = search(backend, users, asking([[], [1]] * 10), 10, MOST, 1)
    np.testing.assert_array_equal(nothing.ids, beyond.ids)
    np.testing.assert_array_equal(nothing.ids, mixed.ids)
    np.testing.assert_array_equal(nothing.scores, mixed.scores)


def test_the_kinds_of_index_are_what_their_names_say() -> None:
    assert isinstance(made("hnsw", random_vectors(50)), Hnswlib)
    graph = made("hnsw_sq8", random_vectors(50))
    assert isinstance(graph, Faiss) and graph.graph and graph.compressed
    assert Indexed(backend="ivf").factory_of(1_000_000) == "IVF4000,Flat"
    assert Indexed(backend="ivf_fastscan", lists=7).factory_of(100) == "IVF7,PQ32x4fs"
