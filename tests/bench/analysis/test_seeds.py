"""Variance of users and of trainings, and ranks, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from bench.analysis.seeds import ranks, variation


def test_the_parts_are_those_of_a_worked_example() -> None:
    # Two seeds, three users. Users' means 2, 4, 6 and seeds' 3.5, 4.5 about 4: MS_users = 2 (4 + 0 + 4) / 2 = 8,
    # MS_seeds = 3 (.25 + .25) / 1 = 1.5, and what is left: residuals +-.5, 0, -+.5: MS_rest = 1 / 2 = .5.
    found = variation(np.array([[2.0, 3.5, 5.0], [2.0, 4.5, 7.0]]))
    assert found.mean == 4
    assert found.users == pytest.approx(np.sqrt((8 - 0.5) / 2))
    assert found.seeds == pytest.approx(np.sqrt((1.5 - 0.5) / 3))
    assert found.both == pytest.approx(np.sqrt(0.5))
    of_training = (1 / 3) / 2 + 0.5 / 6
    assert found.share == pytest.approx(of_training / (3.75 / 3 + of_training))


def test_one_seed_or_one_user_does_not_vary() -> None:
    for shape in ((1, 5), (5, 1)):
        with pytest.raises(ValueError, match="two of each"):
            variation(np.zeros(shape))
    with pytest.raises(ValueError, match="1 users"):
        variation(np.array([[0.0, np.nan], [1.0, 1.0]]))
    still = variation(np.full((3, 4), 0.5))
    assert (still.low, still.high, still.share) == (0.5, 0.5, 0.0)


@pytest.mark.parametrize(("seeds", "of_seeds"), [(2, 0.003), (3, 0.0), (3, 0.003), (5, 0.02)])
def test_intervals_hold_the_truth_for_other_users_and_other_trainings(seeds: int, of_seeds: float) -> None:
    rng = np.random.default_rng(seeds)
    held, found = [], []
    for _ in range(1500):
        users, trainings = rng.normal(0, 0.15, 300), rng.normal(0, of_seeds, (seeds, 1))
        one = variation(0.1 + users + trainings + rng.normal(0, 0.08, (seeds, 300)))
        held.append(one.low <= 0.1 <= one.high)
        found.append(one)
    assert 0.93 <= np.mean(held) <= 0.97
    assert np.sqrt(np.mean([one.users**2 for one in found])) == pytest.approx(0.15, rel=0.02)
    if of_seeds > 0.01:
        assert np.sqrt(np.mean([one.seeds**2 for one in found])) == pytest.approx(of_seeds, rel=0.1)


def test_a_clear_order_is_told_and_an_unclear_one_left_open() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(400)
    values = {
        "far": base + 0.1 + 0.1 * rng.normal(size=400),
        "one": base + 0.1 * rng.normal(size=400),
        "other": base + 0.1 * rng.normal(size=400),
    }
    assert ranks(values, seed=0) == {"far": (1, 1), "one": (2, 3), "other": (2, 3)}
    assert ranks(values, seed=0, more=False) == {"far": (3, 3), "one": (1, 2), "other": (1, 2)}
    assert ranks({"alone": base}, seed=0) == {"alone": (1, 1)}


def test_ranks_of_equal_methods_are_all_open_in_95_of_100_families() -> None:
    rng = np.random.default_rng(1)
    wrong = 0
    for seed in range(200):
        values = {str(at): rng.normal(size=60) for at in range(5)}
        wrong += any(rank != (1, 5) for rank in ranks(values, seed).values())
    assert wrong / 200 <= 0.08
