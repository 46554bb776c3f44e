import logging
from pathlib import Path

import numpy as np
import pytest

from bench import Catalog, Categorical, Context, Evaluation, Interactions, Ragged, Requests, TrainingData


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """What a method's hooks are called with: seed 1, one thread of the CPU, nobody who listens."""
    return Context(1, np.random.default_rng(1), "cpu", 1, tmp_path, lambda *_: None, logging.getLogger("test"))


@pytest.fixture(scope="session")
def requests_of():
    """Requests of users whose histories are the rows of a Ragged, with nothing excluded."""

    def made(history):
        rows = len(history)
        return Requests(np.arange(rows), np.full(rows, -1, np.int32), history, Ragged.empty(rows))

    return made


@pytest.fixture(scope="session")
def shelves(requests_of):
    """Training data of 300 users who each stay on one shelf of a hundred items."""
    rng = np.random.default_rng(0)
    items = rng.integers(20, size=(300, 1)) * 100 + rng.integers(100, size=(300, 12))
    history = Ragged.from_rows([rng.permutation(np.unique(row)) for row in items])
    shelf = Categorical(np.arange(2000, dtype=np.int32) // 100, [str(at) for at in range(20)])
    return TrainingData(
        Interactions(history.rows().astype(np.int32), history.values, history),
        Catalog(2000, {"shelf": shelf}),
        Evaluation(requests_of(history[:20]), Ragged.from_rows([row[-1:] for row in history[:20]])),
    )
