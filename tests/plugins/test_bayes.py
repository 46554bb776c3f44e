"""The bound: it answers with the truth, keeps to what may be answered, and says when there is no truth."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Catalog, Context, Ragged, Requests, Unavailable, recall
from bench.data.conventions import Conventions
from bench.data.dataset import load_dataset
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.run.hooks import connect
from bench_baselines import blocks
from bench_baselines.bayes import Bayes
from bench_baselines.popularity import Popularity

CONTEXT = Context(0, np.random.default_rng(0), "cpu", 1, Path(), lambda *_: None, logging.getLogger("test"))


class Falling:
    """A truth: item i has chance 1 / (i + 1), and the last item none."""

    def __init__(self, size):
        self.chances = np.append(1 / np.arange(1, size), 0).astype(np.float32)

    def scores(self, requests):
        return np.tile(self.chances, (len(requests), 1))


def _requests(exclude):
    size = len(exclude)
    return Requests(np.arange(size), np.full(size, -1, np.int32), Ragged.empty(size), Ragged.from_rows(exclude))


def _ready(catalog, truth):
    hooks = connect(Bayes())
    hooks.train(data=None, context=CONTEXT)
    hooks.index(catalog=catalog, context=CONTEXT)
    if truth is not None:
        hooks.reveal(preferences=truth, context=CONTEXT)
    return hooks


def test_the_likeliest_come_first_and_the_impossible_never(monkeypatch):
    hooks = _ready(Catalog(5), Falling(5))
    requests = _requests([[], [0, 2], [0, 1, 2]])
    expected = [[0, 1, 2, 3], [1, 3, -1, -1], [3, -1, -1, -1]]
    for cells in (1, 1 << 20):
        monkeypatch.setattr(blocks, "CELLS_PER_BLOCK", cells)
        answer = hooks.query(requests=requests, k=4, context=CONTEXT)
        assert answer.ids.tolist() == expected
    assert answer.work.tolist() == [5, 5, 5]


def test_only_eligible_items_are_answered():
    hooks = _ready(Catalog(5, eligible=np.array([1, 3, 4], np.int32)), Falling(5))
    answer = hooks.query(requests=_requests([[], [1]]), k=3, context=CONTEXT)
    assert answer.ids.tolist() == [[1, 3, -1], [3, -1, -1]]


def test_the_score_of_a_block_is_the_truth_of_its_items():
    hooks = _ready(Catalog(5), Falling(5))
    scores = hooks.score(requests=_requests([[], []]), items=np.array([4, 1], np.int32), context=CONTEXT)
    assert scores.tolist() == [[0, 0.5], [0, 0.5]]


def test_without_a_simulator_it_is_unavailable():
    with pytest.raises(Unavailable, match="none: run it on `synthetic`"):
        _ready(Catalog(5), None).query(requests=_requests([[]]), k=2, context=CONTEXT)


@pytest.mark.parametrize("protocol", ["next-item", "user-holdout", "leave-last-out", "temporal"])
def test_on_a_task_it_is_far_above_popularity(protocol, tmp_path):
    name = "synthetic:items=2000,interactions=60000,seed=1"
    dataset = load_dataset(name, cache=tmp_path, data_root=None, progress=lambda *_: None)
    task = prepare_task(dataset, parse(protocol), Conventions(), cache=tmp_path)
    requests, targets = task.requests("test"), task.targets("test")
    answer = _ready(task.catalog(), task.preferences()).query(requests=requests, k=50, context=CONTEXT)
    known = connect(Popularity())
    known.train(data=task.training(), context=CONTEXT)
    known.index(catalog=task.catalog(), context=CONTEXT)
    popular = known.query(requests=requests, k=50, context=CONTEXT)
    found, floor = (recall(one.ids, targets, 50).mean() for one in (answer, popular))
    assert found > 2.5 * floor
    if protocol == "next-item":
        assert 0.5 < found < 0.9
        chances = task.preferences().scores(requests)
        best = -np.sort(-chances, axis=1)[:, :50].sum(1) / chances.sum(1)
        assert found == pytest.approx(best.mean(), abs=4 * float(np.sqrt((best * (1 - best)).sum())) / len(best))
