"""The baselines against the figures that public libraries reach on the same data and protocol."""

import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Context, params, recall
from bench.data.conventions import Conventions
from bench.data.dataset import load_dataset
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.run.hooks import connect
from bench_baselines.ease import EASE
from bench_baselines.item_cf import ItemCF
from bench_baselines.popularity import Popularity

SEED_SPREAD = 0.01  # another thousand users than the reference's

pytestmark = pytest.mark.data("movielens-1m")


@pytest.fixture(scope="module")
def task(tmp_path_factory, data_root):
    """ML-1M, ratings >= 4, user-holdout with 1,000 test users of at least 10 interactions."""
    cache = tmp_path_factory.mktemp("cache")
    dataset = load_dataset("movielens-1m", cache=cache / "datasets", data_root=data_root)
    protocol = parse("user-holdout:users=1000,min_interactions=10")
    return prepare_task(dataset, protocol, Conventions(), cache=cache / "tasks")


@pytest.mark.parametrize(
    ("method", "settings", "reference"),
    [
        (Popularity, {}, (0.046, 0.167, 0.412)),
        (ItemCF, {"neighbours": 100}, (0.066, 0.224, 0.516)),
        (EASE, {"regularisation": 1000}, (0.072, 0.241, 0.531)),
    ],
)
def test_recall_is_that_of_the_public_libraries(task, method, settings, reference):
    context = Context(0, np.random.default_rng(0), "cpu", 1, Path(), lambda *_: None, logging.getLogger("test"))
    hooks = connect(params.build(method, settings))
    hooks.train(data=task.training(), context=context)
    hooks.index(catalog=task.catalog(), context=context)
    answer = hooks.query(requests=task.requests("test"), k=200, context=context)
    found = [float(recall(answer.ids, task.targets("test"), k).mean()) for k in (10, 50, 200)]
    assert found == pytest.approx(reference, abs=SEED_SPREAD)
