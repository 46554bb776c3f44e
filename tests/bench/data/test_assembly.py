"""Conventions worked by hand, and what never leaks into training."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.assembly import PARTS, assemble
from bench.data.conventions import Conventions
from bench.data.protocols import parse, protocols
from bench.data.tables import KEY_STRIDE
from bench.errors import ProtocolError

CUTS = "temporal:validation_from=100,test_from=200"
PROTOCOLS = ["user-holdout:min_interactions=4", "next-item", "leave-last-out", "user-ratio", "temporal:test_share=.3"]


def rows(ragged):
    return [row.tolist() for row in ragged]


@pytest.mark.parametrize(
    ("conventions", "targets", "exclude", "dropped"),
    [
        ({}, [[3, 4]], [[0, 1, 2]], {"seen": 2, "repeated": 1, "not_eligible": 0, "requests": 0}),
        ({"repeats": "each"}, [[3, 4, 3]], [[0, 1, 2]], {"seen": 2, "repeated": 0, "not_eligible": 0, "requests": 0}),
        ({"seen": "answered"}, [[1, 3, 4]], [[]], {"seen": 0, "repeated": 2, "not_eligible": 0, "requests": 0}),
        (
            {"seen": "answered", "repeats": "each"},
            [[1, 3, 1, 4, 3]],
            [[]],
            {"seen": 0, "repeated": 0, "not_eligible": 0, "requests": 0},
        ),
        (
            {"candidates": "training"},
            [[3]],
            [[0, 1, 2]],
            {"seen": 2, "repeated": 1, "not_eligible": 1, "requests": 0},
        ),
    ],
)
def test_conventions_by_hand(prepare, conventions, targets, exclude, dropped):
    # before the validation cut, between the cuts, after the test cut
    sequences = [[2, 1, 1, 0, 1, 3, 1, 4, 3], [3, 0, 1]]
    times = [[1, 2, 3, 100, 200, 201, 202, 203, 204], [5, 6, 100]]
    task = prepare(sequences, CUTS, conventions, times=times)
    requests = task.requests("test")
    assert rows(requests.history) == [[2, 1, 1, 0]]
    assert rows(requests.history_times) == [[1, 2, 3, 100]]
    assert rows(task.targets("test")) == targets
    assert rows(requests.exclude) == exclude
    assert requests.times.tolist() == [200] and requests.keys.tolist() == [0 * KEY_STRIDE + 4]
    assert task.about["dropped_targets"]["test"] == dropped
    assert task.about["conventions"] == Conventions(**conventions).as_dict()


def test_requests_without_a_target_are_dropped_and_counted(prepare):
    task = prepare([[0, 1, 2, 3], [4, 5, 6, 5]], "leave-last-out")
    assert task.about["dropped_targets"]["test"] == {"seen": 1, "repeated": 0, "not_eligible": 0, "requests": 1}
    assert task.about["requests"] == {"validation": 2, "test": 1}
    assert task.requests("test").keys.tolist() == [3]


def test_a_part_without_any_request_is_refused(prepare):
    with pytest.raises(ProtocolError, match=r"leaves no test request that has a target .*'seen': 1"):
        prepare([[0, 1, 2, 0]], "leave-last-out")


def test_leave_last_out_shows_the_validation_item_to_the_test_request(prepare):
    task = prepare([[5, 4, 3, 2, 1], [9, 8, 7], [6, 0]], "leave-last-out")
    data = task.training()
    assert rows(data.interactions.by_user) == [[5, 4, 3], [9], [6, 0]]
    assert rows(data.validation.requests.history) == [[5, 4, 3], [9]] and rows(data.validation.targets) == [[2], [8]]
    test = task.requests("test")
    assert rows(test.history) == [[5, 4, 3, 2], [9, 8]] and rows(task.targets("test")) == [[1], [7]]
    assert test.users.tolist() == [0, 1] and test.keys.tolist() == [4, KEY_STRIDE + 2]
    assert test.times.tolist() == [4, 7]  # the moment of the target


def test_held_out_users_are_unknown_in_training_and_keep_their_profiles(prepare):
    task = prepare([[user, user + 1, user + 2, user + 3] for user in range(10)], "user-holdout:min_interactions=4")
    test, data = task.requests("test"), task.training()
    users = test.keys // KEY_STRIDE
    assert test.users.tolist() == [-1, -1]
    assert test.profiles["age"].values.tolist() == users.tolist()
    assert list(test.profiles["name"].values) == [f"u{user}" for user in users]
    assert len(data.interactions.by_user) == 6 == task.about["training_users"]
    assert np.unique(data.interactions.users).tolist() == list(range(6))
    trained = data.profiles["age"].values.astype(int)
    assert not set(trained) & set(users)
    assert rows(data.interactions.by_user) == [[user, user + 1, user + 2, user + 3] for user in trained]


def test_items_known_only_to_the_test_come_last_and_do_not_reach_training(prepare):
    # item 0 is only a test target, item 1 only a validation target, item 2 nobody's but described
    sequences = [[5, 4, 1, 0], [3, 4, 5, 3], [4, 3, 5, 4]]
    task = prepare(sequences, "leave-last-out", described=[2, 3], items=6)
    assert task.about["items"] == 6 and task.about["training_items"] == 4
    assert task.item_ids(range(6)) == ["i2", "i3", "i4", "i5", "i0", "i1"]
    data, catalog = task.training(), task.catalog()
    assert data.catalog.size == 4 and catalog.size == 6
    assert data.catalog.features["price"].values.tolist() == [2, 3, 4, 5]
    assert catalog.features["price"].values.tolist() == [2, 3, 4, 5, 0, 1]
    assert list(data.catalog.features["title"].values) == ["Title 2", "Title 3", "", ""]
    assert rows(data.catalog.features["genres"].codes) == [[0, 2], [1, 2], [0, 2], [1, 2]]
    assert rows(data.interactions.by_user) == [[3, 2], [1, 2], [2, 1]]
    assert rows(task.requests("test").history)[0] == [3, 2, 5] and rows(task.targets("test")) == [[4]]
    # what train sees of validation speaks of its own catalog only; the request for item 1 has no target there
    assert rows(task.targets("validation")) == [[5], [3], [3]]
    assert rows(data.validation.targets) == [[3], [3]] and len(data.validation.requests) == 2
    assert task.labels([0, 2, 4]) == ["Title 2", "i4", "i0"]
    assert task.popularity().tolist() == [0, 2, 3, 1, 0, 0]


def test_temporal_hides_items_that_appear_after_training_ends(prepare):
    times = [[1, 100, 200], [2, 101, 201]]
    task = prepare([[0, 1, 2], [1, 3, 0]], CUTS, times=times, items=5, first_seen=[0, 100, 150, 101, 90])
    assert task.about["training_items"] == 3 and task.item_ids(range(3)) == ["i0", "i1", "i4"]
    assert task.catalog().first_seen.tolist() == [0, 100, 90, 150, 101]
    assert task.training().catalog.first_seen.tolist() == [0, 100, 90]
    assert task.about["training_ends"] == 100


def test_temporal_takes_undated_items_as_new_that_nobody_met_before_training_ends(prepare):
    times = [[1, 100, 200], [2, 101, 201]]
    task = prepare([[0, 1, 2], [1, 3, 0]], CUTS, times=times, items=5)
    assert task.about["training_items"] == 2 and task.item_ids(range(2)) == ["i0", "i1"]
    whole = prepare([[0, 1, 2], [1, 3, 0]], f"{CUTS},known=described", times=times, items=5)
    assert whole.about["training_items"] == 5


def test_a_later_end_of_training_asks_the_same_of_the_test(prepare):
    # item ids differ from task to task, raw ids and keys do not
    times = [[1, 5, 100, 200], [2, 101, 150, 201], [3, 4, 140, 210]]
    sequences = [[4, 3, 2, 1], [3, 0, 5, 2], [1, 3, 2, 0]]
    early, late = (
        prepare(sequences, f"temporal:validation_from={cut},test_from=180", times=times) for cut in (50, 145)
    )
    assert early.about["training_items"] == 3 and late.about["training_items"] == 5
    first, second = early.requests("test"), late.requests("test")
    assert first.keys.tolist() == second.keys.tolist() and first.times.tolist() == second.times.tolist()
    for one, other in ((early.targets("test"), late.targets("test")), (first.history, second.history)):
        raw = [early.item_ids(row) for row in one], [late.item_ids(row) for row in other]
        assert raw[0] == raw[1]
    assert early.targets("test").values.tolist() != late.targets("test").values.tolist()


def test_first_seen_is_declared_or_the_first_interaction_of_the_whole_log(prepare):
    sequences = [[0, 1, 2, 0], [2, 3, 1]]
    assert prepare(sequences, "leave-last-out", items=5).first_seen().tolist() == [0, 1, 2, 5, 6]
    declared = prepare(sequences, "leave-last-out", items=5, first_seen=[9, 8, 7, 6, 5], name="declared")
    assert declared.first_seen().tolist() == [9, 8, 7, 6, 5]
    assert prepare(sequences, "leave-last-out", time="order").first_seen() is None


def test_a_seeded_order_leaves_times_and_the_truth_out(prepare):
    fields = {"preferences": {"target": f"{__name__}:Truth", "parameters": {}}}
    sequences = [list(range(12)) for _ in range(10)]
    task = prepare(sequences, "user-holdout:order=seeded", **fields)
    test = task.requests("test")
    assert test.times is None and test.history_times is None and task.training().interactions.timestamps is None
    assert task.about["time"] == "none" and task.preferences() is None
    assert rows(test.history) != [[0, 1, 2, 3, 4, 5]] * 2
    assert all(sorted([*h, *t]) == list(range(12)) for h, t in zip(test.history, task.targets("test"), strict=True))


@given(
    st.lists(st.lists(st.integers(0, 7), min_size=1, max_size=12), min_size=6, max_size=20),
    st.sampled_from(PROTOCOLS),
    st.builds(
        Conventions,
        seen=st.sampled_from(["filtered", "answered"]),
        repeats=st.sampled_from(["once", "each"]),
        candidates=st.sampled_from(["catalog", "training"]),
    ),
    st.sets(st.integers(0, 8)),
)
def test_what_every_task_keeps(make_dataset, sequences, protocol, conventions, described):
    data = make_dataset(sequences, items=9, described=sorted(described))
    try:
        made = assemble(data, parse(protocol), conventions)
    except ProtocolError:
        return
    assert sorted(made.items.tolist()) == list(range(9))
    known = set(made.items[made.training.items].tolist())
    if made.split.undated_known:
        known |= set(np.flatnonzero(data.described))
    assert set(made.items[: made.training_items].tolist()) == known  # known in training comes first
    assert (made.training.items < made.training_items).all()
    assert made.popularity.sum() == len(made.training)
    users, log = made.training_users, data.interactions
    for user, row in zip(users, made.training.by_user, strict=True):
        assert made.items[row].tolist() == sequences[user][: len(row)]  # ids come back, order is kept
    for part in PARTS:
        asked = made.asked[part]
        counts = sum(asked.dropped[key] for key in ("seen", "repeated", "not_eligible"))
        whole = getattr(made.split, part)
        assert len(asked.targets.values) + counts == (whole.stops - whole.cuts).sum()
        assert len(asked.users) + asked.dropped["requests"] == len(whole)
        for number, user in enumerate(asked.users):
            history, targets, exclude = asked.history[number], asked.targets[number], asked.exclude[number]
            cut = int(asked.keys[number] % KEY_STRIDE)
            assert asked.keys[number] // KEY_STRIDE == user
            assert made.items[history].tolist() == sequences[user][:cut]
            assert len(targets) and set(made.items[targets].tolist()) <= set(sequences[user][cut:])
            if conventions.seen == "filtered":
                assert exclude.tolist() == sorted(set(history.tolist())) and not set(exclude) & set(targets)
            else:
                assert not len(exclude)
            if conventions.repeats == "once":
                assert len(set(targets.tolist())) == len(targets)
            if conventions.candidates == "training":
                assert set(targets) <= set(made.catalog.eligible) == set(made.training.items)
            assert asked.history_times[number].tolist() == log.timestamps[log.users == user][:cut].tolist()


def test_every_protocol_is_covered_here():
    assert {parse(text).name for text in PROTOCOLS} == set(protocols()) - {"nearest"}  # which has no sequences
