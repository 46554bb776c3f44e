"""Items to descendants: no more than fit, near the optimum, nothing moved without need."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from bench import DataError
from bench_tree.assignment import STEP, assigned


def one_node(gain, capacity, place=None):
    gain = np.asarray(gain, np.float32)
    place = None if place is None else np.array(place, np.int64)
    return assigned(gain, np.array([0, len(gain)]), np.array([capacity], np.int64), place)


def optimum(gain, capacity):
    columns = np.repeat(np.arange(len(capacity)), capacity)
    rows, chosen = linear_sum_assignment(-gain.astype(np.float64)[:, columns])
    return gain.astype(np.float64)[rows, columns[chosen]].sum()


def made(kind, size, width, seed):
    """Gains of three kinds, float32 [size, width]."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(size, width))
    if kind == "normal":
        return noise.astype(np.float32)
    if kind == "contested":  # most items want the same descendants
        return (noise + 2 * rng.normal(size=width)).astype(np.float32)
    samples = rng.zipf(1.6, size).clip(1, 500) - 1  # log-likelihoods, summed over them
    return (-samples[:, None] * np.abs(noise + rng.normal(size=width) + 2)).astype(np.float32)


def test_those_that_gain_most_by_staying_stay_by_hand():
    gain = [[9, 8, 0], [5, 1, 0], [7, 1, 6], [4, 0, 2]]  # all want descendant 0, which has room for two
    chosen = one_node(gain, [2, 1, 1])  # by staying they gain 1, 4, 1 and 2
    assert chosen.tolist() == [1, 0, 2, 0]
    assert optimum(np.array(gain, np.float32), [2, 1, 1]) == 8 + 5 + 6 + 4


def test_what_is_turned_away_turns_others_away_where_it_gains_more_by_hand():
    #  item 1 has to leave descendant 0, item 2 has to leave descendant 1 to it
    chosen = one_node([[9, 0, 0], [8, 7, 0], [0, 5, 4]], [1, 1, 1])
    assert chosen.tolist() == [0, 1, 2]


def test_with_room_for_all_each_goes_to_its_best():
    gain = made("normal", 200, 6, 0)
    np.testing.assert_array_equal(one_node(gain, [200] * 6), gain.argmax(1))


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    width=st.integers(1, 6),
    spare=st.integers(0, 5),
    kind=st.sampled_from(["normal", "contested", "likelihoods", "ties"]),
    seed=st.integers(0, 999),
)
def test_capacities_hold_and_the_sum_is_near_the_optimum(sizes, width, spare, kind, seed):
    rng = np.random.default_rng(seed)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    gain = rng.integers(0, 3, (sum(sizes), width)) if kind == "ties" else made(kind, sum(sizes), width, seed)
    gain = gain.astype(np.float32)
    capacity = np.stack([rng.multinomial(size + spare, rng.dirichlet(np.ones(width))) for size in sizes])
    place = rng.integers(-1, width, sum(sizes))
    chosen = assigned(gain, offsets, capacity, place)
    for node, room in enumerate(capacity):
        rows = slice(offsets[node], offsets[node + 1])
        assert (np.bincount(chosen[rows], minlength=width) <= room).all()
        total = np.take_along_axis(gain[rows], chosen[rows, None], 1).sum(dtype=np.float64)
        allowed = STEP * np.ptp(gain[rows], axis=1).sum(dtype=np.float64)
        assert total >= optimum(gain[rows], room) - allowed - 1e-4


@pytest.mark.parametrize("kind", ["normal", "contested", "likelihoods"])
@pytest.mark.parametrize(("width", "size"), [(2, 64), (8, 128), (32, 256)])
def test_a_thousandth_of_what_choice_gains_is_lost_at_most(kind, width, size):
    lost = []
    for seed in range(5):
        gain, room = made(kind, size, width, seed), np.full(width, size // width)
        total = gain[np.arange(size), one_node(gain, room)].sum(dtype=np.float64)
        free, chance = gain.max(1).sum(dtype=np.float64), gain.mean(1).sum(dtype=np.float64)
        lost.append((optimum(gain, room) - total) / (free - chance))
    assert -1e-6 < np.mean(lost) < 0.001


def test_items_without_samples_stay_if_there_is_room_and_fill_what_is_left():
    gain = [[0, 0, 0], [0, 0, 0], [0, 0, 0], [-1, -9, -9], [0, 0, 0]]
    #  the fourth takes one of the two places at 0; the first, now there, keeps the other, the second has to go
    assert one_node(gain, [2, 1, 2], [0, 0, 2, 1, -1]).tolist() == [0, 1, 2, 0, 2]


def test_of_items_that_gain_equally_those_stay_that_are_there_then_the_first():
    gain = [[3, 1], [3, 1], [3, 1], [3, 1]]
    assert one_node(gain, [2, 2]).tolist() == [0, 0, 1, 1]
    assert one_node(gain, [2, 2], [1, 0, 1, 0]).tolist() == [1, 0, 1, 0]
    assert one_node([[2, 2], [2, 2]], [2, 2], [1, 0]).tolist() == [1, 0]


def test_an_assignment_that_is_best_already_moves_nothing():
    gain = made("contested", 256, 8, 0)
    first = one_node(gain, [32] * 8)
    np.testing.assert_array_equal(one_node(gain, [32] * 8, first), first)
    rounded = np.round(gain)  # many ties: the sum stays, and so do nearly all items
    first = one_node(rounded, [32] * 8)
    moved = one_node(rounded, [32] * 8, first) != first
    assert moved.mean() < 0.2


def test_threads_and_the_company_of_other_nodes_change_nothing():
    gain = made("contested", 3000, 5, 0)
    offsets = np.array([0, 1, 1, 800, 801, 1900, 3000])
    room = np.stack([np.diff(np.arange(6) * size // 5) for size in np.diff(offsets)])
    one, other = (assigned(gain, offsets, room, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one, other)
    alone = one_node(gain[1:800], room[2])
    np.testing.assert_array_equal(one[1:800], alone)


def test_items_that_do_not_fit_places_that_are_none_and_broken_gains_are_refused():
    gain = np.zeros((5, 2), np.float32)
    with pytest.raises(DataError, match="node 1 has 3 items and its descendants have room for 2"):
        assigned(gain, np.array([0, 2, 5]), np.array([[1, 1], [1, 1]]))
    with pytest.raises(DataError, match="one of its 2 descendants or -1: there are 0 to 2"):
        one_node(gain, [3, 3], [0, 1, 2, 0, 0])
    gain[3, 1] = np.nan
    with pytest.raises(DataError, match="item 3"):
        one_node(gain, [3, 3])
    assert assigned(gain[:0], np.array([0]), np.zeros((0, 2), np.int64)).tolist() == []
