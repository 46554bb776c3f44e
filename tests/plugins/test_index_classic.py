"""The HNSW walk: against faiss over faiss's own graph, and Beam-retrieval against it."""

import faiss
import numpy as np
import pytest

from bench import Ragged
from bench_index.beam import Effort, search
from bench_index.classic import classic_search
from bench_index.exact import InnerProduct, exact_search
from bench_index.graph import Graph, from_levels
from bench_index.layered import build_layered

SIZE, DIM, K = 20_000, 16, 10


class Distances(InnerProduct):
    """Minus the squared distance to each query, less the query's own square."""

    def block(self, start, stop):
        return 2 * super().block(start, stop) - (self.vectors[start:stop] ** 2).sum(1)

    def pairs(self, nodes, counts):
        return 2 * super().pairs(nodes, counts) - (self.vectors[nodes] ** 2).sum(2)


def taken_out(index):
    """The graph that faiss built, and the node where its walk begins."""
    hnsw = index.hnsw
    levels = faiss.vector_to_array(hnsw.levels).astype(np.int64) - 1
    starts = faiss.vector_to_array(hnsw.offsets).astype(np.int64)
    table = faiss.vector_to_array(hnsw.neighbors)
    layers = []
    for level in range(levels.max() + 1):
        before, width = hnsw.cum_nb_neighbors(level), hnsw.nb_neighbors(level)
        rows = [table[begin + before :][:width] for begin in starts[:-1]]
        layers.append(
            Ragged.from_rows([row[row >= 0] if high >= level else [] for row, high in zip(rows, levels, strict=True)])
        )
    graph = from_levels(levels, np.arange(len(levels), dtype=np.int32), layers)
    return graph, int(np.flatnonzero(graph.items == hnsw.entry_point)[0])


@pytest.fixture(scope="module", params=["l2", "inner product"])
def world(request):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(100, DIM))
    vectors = (centres[rng.integers(100, size=SIZE)] + 0.7 * rng.normal(size=(SIZE, DIM))).astype(np.float32)
    queries = (centres[rng.integers(100, size=64)] + 0.7 * rng.normal(size=(64, DIM))).astype(np.float32)
    metric = faiss.METRIC_L2 if request.param == "l2" else faiss.METRIC_INNER_PRODUCT
    index = faiss.IndexHNSWFlat(DIM, 16, metric)
    index.hnsw.efConstruction = 40
    index.add(vectors)
    graph, entry = taken_out(index)
    kind = Distances if request.param == "l2" else InnerProduct
    return index, graph, entry, kind(queries, vectors[graph.items])


def overlap(one, other):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(one, other, strict=True)])


@pytest.mark.parametrize("ef", [4, 16, 64])
def test_the_walk_returns_what_faiss_returns(world, ef):
    index, graph, entry, scorer = world
    index.hnsw.efSearch = ef
    _, theirs = index.search(scorer.queries, K)
    ours = classic_search(graph, scorer, ef, K, Ragged.empty(64), threads=2, entry=entry)
    assert overlap(ours.ids, theirs) >= 0.99


@pytest.mark.parametrize("ef", [16, 64])
def test_beam_retrieval_finds_as_much_at_the_same_width(world, ef):
    _, graph, entry, scorer = world
    exclude = Ragged.empty(64)
    best = exact_search(graph.items, scorer, K, exclude)
    walk = classic_search(graph, scorer, ef, K, exclude, entry=entry)
    beam = search(graph, scorer, Effort((ef, ef), (1, 9), quota=2 * ef), K, exclude)
    assert overlap(beam.ids, best.ids) >= overlap(walk.ids, best.ids)


def test_the_walk_scores_few_items_and_never_answers_excluded_or_removed_ones(world):
    _, graph, entry, scorer = world
    best = exact_search(graph.items, scorer, 20, Ragged.empty(64))
    exclude = Ragged.from_rows(np.sort(best.ids[:, :5], 1))
    gone = np.unique(best.ids[:, 5:10])
    items = np.where(np.isin(graph.items, gone), -1, graph.items).astype(np.int32)
    found = classic_search(Graph(items, graph.layers), scorer, 64, K, exclude, entry=entry)
    assert found.work.max() < 0.2 * SIZE
    assert not np.isin(found.ids, gone).any()
    for row, barred in zip(found.ids, exclude, strict=True):
        assert not np.isin(row, barred).any()


@pytest.mark.parametrize("size", [0, 1])
def test_tiny_graphs(size):
    graph = Graph(np.arange(size, dtype=np.int32), (Ragged.empty(size),))
    scorer = InnerProduct(np.ones((3, 2), np.float32), np.ones((size, 2), np.float32))
    expected = [[0, -1] if size else [-1, -1]] * 3
    assert classic_search(graph, scorer, 4, 2, Ragged.empty(3)).ids.tolist() == expected


@pytest.mark.parametrize(("size", "links", "ef"), [(150, 8, 80), (150, 4, 200)])
def test_a_walk_that_is_asked_for_the_whole_catalog_answers_it(size, links, ef):
    vectors = np.random.default_rng(1).normal(size=(size, 8)).astype(np.float32)
    graph = build_layered(vectors, np.arange(size, dtype=np.int32), links=links)
    scorer = InnerProduct(vectors[:5], vectors[graph.items])
    found = classic_search(graph, scorer, ef, size, Ragged.empty(5))
    assert (np.sort(found.ids, 1) == np.arange(size)).all()
