"""The arithmetic of cost, worked by hand."""

import pytest

from bench.analysis.cost import Work, money, reached_after, storage
from bench.prices import Prices


def test_money_is_hours_times_what_was_held():
    """Half an hour of 4 cores and 10 GB: 0.5 x (4 x 0.03 + 10 x 0.004) = 0.08; 6 minutes of a core alone: 0.003."""
    prices = Prices("EUR", core_hour=0.03, gb_hour=0.004)
    works = [Work(1800, 4, 10e9), Work(360, 1, 0)]
    assert money(works, prices) == pytest.approx(0.083)
    assert money(works, Prices("EUR", core_hour=0.03)) == pytest.approx(0.063)  # memory was not priced


def test_a_gpu_is_paid_beside_the_cores_that_serve_it():
    """A quarter of an hour of a GPU at 2 and 8 cores at 0.05: 0.25 x 2.4 = 0.6."""
    work = Work(900, 8, 0, gpus=1)
    assert money([work], Prices("EUR", core_hour=0.05, gpu_hour=2)) == pytest.approx(0.6)
    assert money([work], Prices("EUR", gpu_hour=2)) == pytest.approx(0.5)


def test_money_is_never_made_up():
    assert money([Work(900, 8, 0, gpus=1)], Prices("EUR", core_hour=1)) is None
    assert money([Work(900, 8, 0)], Prices("EUR", gpu_hour=1)) is None
    assert money([Work(9, 1, 0), Work(9, 1, 0, gpus=1)], Prices("EUR", core_hour=1)) is None
    assert money([], Prices("EUR", core_hour=1)) is None
    assert storage(1e9, Prices("EUR", core_hour=1)) is None


def test_storage_is_paid_by_the_gigabyte():
    assert storage(2.5e9, Prices("EUR", core_hour=1, gb_month=0.08)) == pytest.approx(0.2)


def test_a_training_reached_a_share_of_its_last_recall_when_a_round_first_had_it():
    seconds, recall = [10.0, 25.0, 60.0], [0.2, 0.29, 0.3]
    assert reached_after(seconds, recall, 0.95) == 25.0  # .285 is enough
    assert reached_after(seconds, recall, 0.99) == 60.0
    assert reached_after(seconds, [0.31, 0.2, 0.3], 1.0) == 10.0  # better before than at the end
    assert reached_after([10.0], [0.2], 0.5) is None
    with pytest.raises(ValueError, match="3 times and 1 qualities"):
        reached_after(seconds, [0.1], 0.5)
