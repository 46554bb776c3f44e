"""A share of a task: what shrinks, what stays, and that shares lie in one another."""

from __future__ import annotations

import numpy as np
import pytest

from bench.data.assembly import assemble
from bench.data.cards import find_card
from bench.data.conventions import Conventions
from bench.data.freezing import prepare_task
from bench.data.nearest import prepare_vectors
from bench.data.protocols import parse
from bench.data.thinning import thinned

RNG = np.random.default_rng(5)
LOG = [RNG.integers(0, 50, RNG.integers(12, 30)).tolist() for _ in range(600)]
TIMES = [np.sort(RNG.integers(0, 10**6, len(row))).tolist() for row in LOG]


@pytest.mark.parametrize("protocol", ["user-holdout:users=60", "leave-last-out", "temporal"])
def test_users_are_fewer_and_the_catalog_is_whole(make_dataset, protocol):
    whole = assemble(make_dataset(LOG, times=TIMES, items=50), parse(protocol), Conventions())
    fewer = thinned(whole, 0.2)
    assert 0.14 < len(fewer.training_users) / len(whole.training_users) < 0.26
    assert 0.14 < len(fewer.training) / len(whole.training) < 0.26
    assert fewer.catalog.size == whole.catalog.size and fewer.training_items == whole.training_items
    assert fewer.popularity.sum() == len(fewer.training)
    for part, asked in fewer.asked.items():
        assert 0 < len(asked.users) < 0.4 * len(whole.asked[part].users)


def test_a_user_keeps_all_that_is_said_of_them(make_dataset):
    whole = assemble(make_dataset(LOG, items=50), parse("leave-last-out"), Conventions())
    fewer = thinned(whole, 0.3)
    for row, user in enumerate(fewer.training_users):
        before = np.searchsorted(whole.training_users, user)
        np.testing.assert_array_equal(fewer.training.by_user[row], whole.training.by_user[before])
    place = np.searchsorted(whole.asked["test"].keys, fewer.asked["test"].keys)
    for row, before in enumerate(place):
        assert fewer.asked["test"].targets[row].tolist() == whole.asked["test"].targets[before].tolist()
        assert fewer.asked["test"].history[row].tolist() == whole.asked["test"].history[before].tolist()
    assert set(fewer.asked["test"].users) <= set(fewer.training_users)  # who asks has trained, as in the whole task


def test_a_smaller_share_lies_in_a_larger_one(make_dataset):
    whole = assemble(make_dataset(LOG, items=50), parse("user-holdout:users=60"), Conventions())
    small, large = thinned(whole, 0.1), thinned(whole, 0.4)
    assert set(small.training_users) < set(large.training_users)
    assert set(small.asked["test"].keys) < set(large.asked["test"].keys)


def test_each_part_keeps_a_request_however_small_the_share(make_dataset):
    whole = assemble(make_dataset(LOG[:20], items=50), parse("user-holdout:users=2"), Conventions())
    fewer = thinned(whole, 1e-9)
    assert {part: len(asked.users) for part, asked in fewer.asked.items()} == {"validation": 1, "test": 1}
    assert len(fewer.training_users) == 1


def test_a_share_of_a_task_is_another_task_that_methods_can_read(make_dataset, tmp_path):
    data, protocol = make_dataset(LOG, items=50), parse("leave-last-out")
    whole = prepare_task(data, protocol, Conventions(), cache=tmp_path)
    fewer = prepare_task(data, protocol, Conventions(), cache=tmp_path, share=0.2)
    assert whole.fingerprint != fewer.fingerprint and whole.folder != fewer.folder
    assert fewer.about["interactions"] == len(fewer.training().interactions)
    assert len(fewer.training().profiles["age"]) == fewer.about["training_users"]
    known = fewer.requests("test").users
    assert (known >= 0).all() and (known < fewer.about["training_users"]).all()


def test_of_vectors_those_to_search_are_fewer(tmp_path):
    np.savez(
        tmp_path / "shapes.npz",
        train=RNG.standard_normal((400, 8)).astype(np.float32),
        test=RNG.standard_normal((60, 8)).astype(np.float32),
    )
    card = tmp_path / "shapes.toml"
    card.write_text(
        'title = "S"\n[vectors]\nfile = "shapes.npz"\ntrain = "train"\ntest = "test"\ndistance = "euclidean"\n'
    )
    asked = parse("nearest:neighbors=20,validation=20")

    def made(**fields):
        return prepare_vectors(find_card(str(card)), asked, Conventions(), cache=tmp_path, data_root=None, **fields)

    whole, fewer = made(), made(share=0.25, tasks=tmp_path / "pilot")
    assert fewer.folder.is_relative_to(tmp_path / "pilot")
    assert 70 < fewer.about["items"] < 130 and len(fewer.catalog().vectors) == fewer.about["items"]
    keys = whole.requests("test").keys.tolist()
    for row, key in enumerate(fewer.requests("test").keys):
        near = fewer.catalog().vectors[fewer.targets("test")[row]]
        of_whole = whole.catalog().vectors[whole.targets("test")[keys.index(key)]]
        assert all((one == of_whole).all(axis=1).any() for one in near)  # the neighbours that are left, no other
