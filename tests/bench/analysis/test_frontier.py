"""The Pareto frontier."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.frontier import pareto_frontier


def test_a_worked_example() -> None:
    quality = np.array([0.1, 0.3, 0.2, 0.3, 0.5, 0.5, 0.4])
    cost = np.array([1.0, 2.0, 2.0, 3.0, 9.0, 9.0, 9.0])
    np.testing.assert_array_equal(pareto_frontier(quality, cost), [True, True, False, False, True, True, False])


def test_a_point_without_a_figure_is_not_on_it() -> None:
    frontier = pareto_frontier(np.array([np.nan, 0.1, 0.9]), np.array([0.0, 5.0, np.nan]))
    np.testing.assert_array_equal(frontier, [False, True, False])
    assert len(pareto_frontier(np.zeros(0), np.zeros(0))) == 0


def test_infinite_figures_are_figures() -> None:
    np.testing.assert_array_equal(pareto_frontier(np.array([-np.inf, -np.inf]), np.array([2.0, 1.0])), [False, True])
    np.testing.assert_array_equal(pareto_frontier(np.array([1.0]), np.array([np.inf])), [True])


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_it_holds_what_nothing_dominates(points: list[tuple[int, int]]) -> None:
    quality, cost = np.array(points, float).reshape(-1, 2).T
    expected = [
        not any(other >= q and spent <= c and (other, spent) != (q, c) for other, spent in points) for q, c in points
    ]
    np.testing.assert_array_equal(pareto_frontier(quality, cost), expected)
