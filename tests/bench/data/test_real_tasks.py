"""Protocols on real data, where they are at hand."""

from __future__ import annotations

import pytest

from bench.data.cards import find_card
from bench.data.conventions import Conventions
from bench.data.dataset import load_dataset
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.errors import ProtocolError


@pytest.fixture(scope="module")
def prepare_real(data_root, tmp_path_factory):
    """Makes the task of a real data set and a protocol."""
    cache = tmp_path_factory.mktemp("cache")

    def make(name, protocol):
        data = load_dataset(name, cache=cache, data_root=data_root)
        return prepare_task(data, parse(protocol), Conventions(), cache=cache)

    return make


@pytest.mark.data("movielens-1m")
def test_movielens_1m_has_the_public_counts(prepare_real):
    last = prepare_real("movielens-1m", "leave-last-out")
    assert last.about["requests"] == {"validation": 6035, "test": 6035}
    assert last.about["interactions"] == 575_281 - 2 * 6035 and last.about["items"] == 3883
    holdout = prepare_real("movielens-1m", "user-holdout")
    assert holdout.about["requests"] == {"validation": 1000, "test": 1000}
    assert holdout.about["training_users"] == 6038 - 2000
    assert holdout.about["dropped_targets"]["test"] == {"seen": 0, "repeated": 0, "not_eligible": 0, "requests": 0}
    assert holdout.labels([0]) == ["Toy Story (1995)"]


@pytest.mark.data("bookcrossing")
def test_bookcrossing_has_no_time_and_is_split_by_chance_when_asked(prepare_real):
    with pytest.raises(ProtocolError, match="user-holdout:order=seeded"):
        prepare_real("bookcrossing", "user-holdout")
    assert find_card("bookcrossing").protocol == "user-holdout:order=seeded"
    task = prepare_real("bookcrossing", "user-holdout:order=seeded")
    assert task.about["requests"]["test"] > 500 and task.requests("test").times is None
