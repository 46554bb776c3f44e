"""The search in torch alone does what the compiled one does."""

import numpy as np
import pytest
import torch

from bench import Ragged
from bench_index.beam import Effort, search
from bench_index.device import DeviceGraph, device_search
from bench_index.exact import InnerProduct
from bench_index.graph import Graph
from bench_index.hnsw import build_hnsw

SIZE, BATCH, K = 3000, 20, 15


class OnDevice:
    def __init__(self, scorer):
        self.scorer = scorer

    def block(self, start, stop):
        return torch.from_numpy(self.scorer.block(start, stop))

    def pairs(self, nodes):
        counts = np.full(len(nodes), nodes.shape[1])
        return torch.from_numpy(np.ascontiguousarray(self.scorer.pairs(nodes.numpy().astype(np.int32), counts)))


class Exact(InnerProduct):
    """Each score on its own, so that it does not depend on what else is scored with it."""

    def pairs(self, nodes, counts):
        return (self.vectors[nodes].astype(np.float64) * self.queries[:, None]).sum(2).astype(np.float32)

    def block(self, start, stop):
        return self.pairs(np.tile(np.arange(start, stop), (len(self.queries), 1)), None)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(SIZE, 8)).astype(np.float32)
    graph = build_hnsw(vectors, np.arange(SIZE, dtype=np.int32), links=8)
    graph = Graph(np.where(np.arange(SIZE) % 7 == 3, -1, graph.items).astype(np.int32), graph.layers)  # some removed
    exclude = Ragged.from_rows([np.sort(rng.choice(SIZE, 50 * (row % 3), False)) for row in range(BATCH)])
    return graph, Exact(rng.normal(size=(BATCH, 8)).astype(np.float32), vectors), exclude, rng


def same(one, other):
    np.testing.assert_array_equal(one.work, other.work)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.scores, other.scores)


@pytest.mark.parametrize(
    "effort",
    [
        Effort((10, 20, 40), (1, 1, 3)),
        Effort((20, 40), (1, 3), quota=30),
        Effort((20, 40), (1, 9), quota=25, growth=1.0, patience=1),
        Effort((20, 40), (2, 9), limit=333, quota=50),
        Effort((5,), (1,), limit=40),
    ],
)
def test_it_finds_and_scores_the_same(world, effort):
    graph, scorer, exclude, _ = world
    expected = search(graph, scorer, effort, K, exclude)
    same(device_search(graph, DeviceGraph.of(graph, "cpu"), OnDevice(scorer), effort, K, exclude), expected)


def test_it_begins_where_it_is_told(world):
    graph, scorer, exclude, rng = world
    entries = rng.integers(-1, SIZE, (BATCH, 12)).astype(np.int32)
    entries[:, 6:9] = entries[:, :3]
    effort = Effort((20,), (4,), limit=200, quota=30)
    expected = search(graph, scorer, effort, K, exclude, entries=entries)
    found = device_search(
        graph, DeviceGraph.of(graph, "cpu"), OnDevice(scorer), effort, K, exclude, torch.from_numpy(entries).long()
    )
    same(found, expected)


@pytest.mark.parametrize("size", [0, 1, 65])
def test_tiny_graphs_and_more_answers_than_items(size):
    graph = Graph(np.arange(size, dtype=np.int32), (Ragged.empty(size),))
    for batch in (0, 3):
        scorer = Exact(np.ones((batch, 1), np.float32), np.arange(size, dtype=np.float32)[:, None])
        effort, exclude = Effort((2,), (1,), limit=1), Ragged.empty(batch)
        expected = search(graph, scorer, effort, 9, exclude)
        there = graph, DeviceGraph.of(graph, "cpu"), OnDevice(scorer), effort, 9, exclude
        same(device_search(*there), expected)
        entries = np.full((batch, 1), size - 1, np.int32)
        expected = search(graph, scorer, effort, 9, exclude, entries=entries)
        same(device_search(*there, torch.from_numpy(entries).long()), expected)
