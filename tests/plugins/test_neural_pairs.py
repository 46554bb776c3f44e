"""The scorer behind the search: the same scores however they are cut into tiles, threads and storage."""

import numpy as np
import pytest
import torch

from bench_dvf.device import DevicePairScorer
from bench_index.gather import gather
from bench_neural import pairs as module
from bench_neural.pairs import PairScorer
from bench_neural.scorers import Asked

ROWS, WIDTH, BATCH = 500, 7, 5


class InPlace:
    """An inner product that overwrites the rows it is given for pairs, as a scorer may."""

    def block(self, asked, items):
        return (asked.state[:, None] * items).sum(2)

    def pairs(self, asked, items):
        return items.mul_(asked.state[:, None]).sum(2)


@pytest.fixture(params=[torch.float32, torch.bfloat16])
def world(request):
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(ROWS, WIDTH, generator=generator).to(request.param)
    asked = Asked(torch.randn(BATCH, WIDTH, generator=generator))
    return table, asked, (asked.state[:, None] * table.float()).sum(2).numpy()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("tile", [16, 100, 1024])
def test_pairs_and_blocks_agree_with_the_plain_scores(world, threads, tile, monkeypatch):
    table, asked, expected = world
    monkeypatch.setattr(module, "TILE", tile)
    monkeypatch.setattr(module, "LEAST", 10)
    before = torch.get_num_threads()
    scorer = PairScorer(InPlace(), asked, table, threads)
    rng = np.random.default_rng(0)
    for columns in (0, 1, 40, 130):
        nodes = rng.integers(0, ROWS, (BATCH, columns)).astype(np.int32)
        counts = rng.integers(0, columns + 1, BATCH)
        scores = scorer.pairs(nodes, counts)
        for row, count in enumerate(counts):
            np.testing.assert_array_equal(scores[row, :count], expected[row, nodes[row, :count]])
    np.testing.assert_array_equal(scorer.block(3, 430), expected[:, 3:430])
    np.testing.assert_array_equal(scorer.part(1, 4).block(0, 9), expected[1:4, :9])
    assert scorer.block(3, 3).shape == (BATCH, 0)
    assert torch.get_num_threads() == before


def test_the_device_scorer_agrees(world):
    table, asked, expected = world
    scorer = DevicePairScorer(InPlace(), asked, table)
    nodes = torch.randint(0, ROWS, (BATCH, 30), generator=torch.Generator().manual_seed(1))
    np.testing.assert_array_equal(scorer.pairs(nodes).numpy(), np.take_along_axis(expected, nodes.numpy(), 1))
    np.testing.assert_array_equal(scorer.block(3, 430).numpy(), expected[:, 3:430])


@pytest.mark.parametrize("width", [1, 16, 33])
def test_rows_are_gathered_whole(width):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(50, width)).astype(np.float32)
    nodes, out = rng.integers(0, 50, (2, 20)).astype(np.int32)[:, 5:], np.empty((30, width), np.float32)
    gather(table, nodes, out)
    np.testing.assert_array_equal(out, table[nodes.reshape(-1)])
    halves = (table.view(np.uint32) >> 16).astype(np.uint16)
    gather(halves, nodes, out)
    np.testing.assert_array_equal(out.view(np.uint32), halves[nodes.reshape(-1)].astype(np.uint32) << 16)
