import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import Ragged

lists = st.lists(st.lists(st.integers(0, 50), max_size=6), max_size=8)


@given(lists, st.integers(1, 5))
def test_rows_slices_takes_and_pads_agree_with_lists(rows, length):
    ragged = Ragged.from_rows(rows)
    assert [list(row) for row in ragged] == rows
    assert [list(row) for row in ragged[1:4]] == rows[1:4]
    order = list(range(len(rows)))[::-1]
    assert [list(row) for row in ragged.take(order)] == rows[::-1]
    assert ragged.padded(length).tolist() == [([-1] * length + row)[-length:] for row in rows]
    assert ragged.rows().tolist() == [number for number, row in enumerate(rows) for _ in row]
    even = ragged.keep(ragged.values % 2 == 0)
    assert [list(row) for row in even] == [[value for value in row if value % 2 == 0] for row in rows]


def test_a_slice_begins_its_offsets_at_zero_and_shares_memory():
    ragged = Ragged.from_rows([[1, 2], [3], [4, 5]])
    part = ragged[1:]
    assert part.offsets.tolist() == [0, 1, 3]
    assert np.shares_memory(part.values, ragged.values)


def test_rows_are_grouped_by_key():
    grouped = Ragged.from_keys(np.array([0, 0, 2]), np.array([7, 8, 9], np.int32), 4)
    assert [list(row) for row in grouped] == [[7, 8], [], [9], []]


def test_a_row_outside_is_an_index_error():
    with pytest.raises(IndexError):
        Ragged.from_rows([[1]])[1]
    assert list(Ragged.from_rows([[1], [2]])[-1]) == [2]
