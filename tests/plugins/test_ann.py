"""The method over stored vectors, through the harness's own catalogs and requests."""

from pathlib import Path

import numpy as np
import pytest

from bench import Catalog, Context, DataError, Ragged, Requests
from bench_vector.ann import Ann
from bench_vector.libraries import LIBRARIES

RNG = np.random.default_rng(1)
ITEMS = (RNG.standard_normal((800, 16)) * RNG.uniform(0.5, 2, (800, 1))).astype(np.float32)
ASKED = RNG.standard_normal((30, 16)).astype(np.float32)


def requests() -> Requests:
    count = len(ASKED)
    nobody = np.full(count, -1, np.int32)
    return Requests(np.arange(count), nobody, Ragged.empty(count), Ragged.empty(count), vectors=ASKED)


def near(distance: str) -> np.ndarray:
    """Scores float64 [B, C]."""
    items, asked = ITEMS.astype(np.float64), ASKED.astype(np.float64)
    if distance == "euclidean":
        return -((asked[:, None] - items) ** 2).sum(2)
    if distance == "cosine":
        items = items / np.linalg.norm(items, axis=1, keepdims=True)
        asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    return asked @ items.T


@pytest.mark.parametrize("backend", ["flat", "hnsw", "ivf", "hnsw_faiss", *LIBRARIES])
@pytest.mark.parametrize("distance", ["euclidean", "cosine", "inner product"])
def test_answers_are_the_nearest_by_the_data_sets_own_distance(
    context: Context, tmp_path: Path, distance: str, backend: str
) -> None:
    if backend in LIBRARIES:
        pytest.importorskip(LIBRARIES[backend].module, reason=f"pip install 'bench[{backend}]'")
    method = Ann(backend=backend, ef=800, probes=100)
    eligible = np.arange(0, 800, 2, dtype=np.int32)
    method.index(Catalog(800, vectors=ITEMS, distance=distance, eligible=eligible), context)
    answer = method.query(requests(), 10, context)
    scores = near(distance)
    expected = eligible[np.argsort(-scores[:, eligible], 1)[:, :10]]
    assert (answer.ids == expected).mean() > 0.99
    np.testing.assert_allclose(method.score(requests(), eligible, context), scores[:, eligible], rtol=1e-3, atol=1e-4)
    method.save(tmp_path, "index")
    again = Ann(backend=backend, ef=800, probes=100)
    again.load(tmp_path, "index", context)
    same = again.query(requests(), 10, context)
    np.testing.assert_array_equal(same.ids, answer.ids)
    np.testing.assert_array_equal(same.scores, answer.scores)


def test_a_catalog_without_vectors_is_refused(context: Context) -> None:
    with pytest.raises(DataError, match="this data set has none"):
        Ann().index(Catalog(3), context)
