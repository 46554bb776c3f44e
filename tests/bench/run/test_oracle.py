"""The oracle's answers are shared by runs over one index, and only where they still hold."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Catalog, Context, Ragged, Requests
from bench.run.oracle import CHECKED, exact_top, exact_top_once

ITEMS, REQUESTS = 300, 20


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    exclude = Ragged.from_rows([np.sort(rng.choice(ITEMS, 5, replace=False)).astype(np.int32) for _ in range(REQUESTS)])
    keys = np.arange(REQUESTS)
    requests = Requests(keys, np.full(REQUESTS, -1, np.int32), Ragged.empty(REQUESTS), exclude)
    context = Context(0, rng, "cpu", 1, Path(), lambda done, total, note="": None, logging.getLogger())
    return requests, Catalog(ITEMS), context


class Scorer:
    def __init__(self, seed=0):
        self.table = np.random.default_rng(seed).normal(size=(REQUESTS, ITEMS)).astype(np.float32)
        self.asked = 0

    def __call__(self, requests, items, context):
        self.asked += len(requests)
        return self.table[requests.keys][:, items]


def test_a_second_run_scores_a_few_requests_only(world, tmp_path):
    scorer = Scorer()
    expected = exact_top(scorer, *world[:2], 10, world[2])
    for asked in (REQUESTS, CHECKED):
        scorer.asked = 0
        found = exact_top_once(tmp_path / "oracle.npz", scorer, *world[:2], 10, world[2])
        np.testing.assert_array_equal(found.ids, expected.ids)
        assert scorer.asked == asked
    assert [path.name for path in tmp_path.iterdir()] == ["oracle.npz"]


def test_a_score_that_has_changed_is_not_believed(world, tmp_path):
    exact_top_once(tmp_path / "oracle.npz", Scorer(0), *world[:2], 10, world[2])
    other = Scorer(1)
    found = exact_top_once(tmp_path / "oracle.npz", other, *world[:2], 10, world[2])
    np.testing.assert_array_equal(found.ids, exact_top(other, *world[:2], 10, world[2]).ids)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive"])
def test_a_damaged_file_is_made_anew(world, tmp_path, damage):
    (tmp_path / "oracle.npz").write_bytes(damage)
    scorer = Scorer()
    found = exact_top_once(tmp_path / "oracle.npz", scorer, *world[:2], 10, world[2])
    np.testing.assert_array_equal(found.ids, exact_top(scorer, *world[:2], 10, world[2]).ids)
