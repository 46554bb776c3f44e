"""Limiting what may be answered to a list of items."""

from __future__ import annotations

import pytest

from bench.errors import DataError


def test_eligible_items_limit_the_answers_and_the_targets(prepare, tmp_path):
    file = tmp_path / "stock.txt"
    file.write_text("i1\n\n i0 \ni0\n")
    task = prepare([[5, 4, 3, 2, 1], [3, 2, 4, 0, 5]], "leave-last-out", eligible=file, described=[], items=6)
    assert task.item_ids(task.catalog().eligible) == ["i0", "i1"]
    assert task.about["eligible_items"] == 2 and task.about["dropped_targets"]["test"]["not_eligible"] == 1
    assert [task.item_ids(row) for row in task.targets("test")] == [["i1"]]
    assert task.training().catalog.eligible.tolist() == []  # neither is known in training


def test_eligible_and_training_candidates_meet(prepare, tmp_path):
    file = tmp_path / "stock.txt"
    file.write_text("i1\ni2\ni3")
    sequences = [[1, 2, 3, 2, 1], [3, 1, 2, 2, 4], [1, 3, 1, 2, 3]]
    task = prepare(sequences, "user-ratio", {"candidates": "training", "seen": "answered"}, eligible=file)
    assert task.catalog().eligible.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"i1\nnope\ni2\nnor this\n",
            r"2 of 4 ids are no item of the data set: 'nope' \(line 2\), 'nor this' \(line 4\)",
        ),
        (b"\n \n", "names no item"),
        (b"\xff\xfe\n", "no UTF-8 text"),
    ],
)
def test_a_bad_list_of_eligible_items_is_named(prepare, tmp_path, content, message):
    file = tmp_path / "stock.txt"
    file.write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare([[1, 2, 3]], "leave-last-out", eligible=file)
    with pytest.raises(DataError, match="No such file"):
        prepare([[1, 2, 3]], "leave-last-out", eligible=tmp_path / "absent")
