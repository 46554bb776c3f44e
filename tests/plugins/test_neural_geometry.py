"""Alignment and uniformity by hand."""

from math import exp, log

import pytest
import torch

from bench_neural.geometry import alignment, uniformity


def test_alignment_is_the_squared_distance_at_length_one() -> None:
    users, items = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[5.0, 0.0], [0.0, -1.0]])
    assert alignment(users, items) == pytest.approx((0 + 4) / 2)


def test_uniformity_by_hand() -> None:
    # (1, 0), (-1, 0), (0, 1): squared distances 4, 2, 2
    vectors = torch.tensor([[2.0, 0.0], [-1.0, 0.0], [0.0, 7.0]])
    assert uniformity(vectors) == pytest.approx(log((exp(-8) + 2 * exp(-4)) / 3))
    assert uniformity(torch.ones(4, 3)) == pytest.approx(0.0, abs=1e-6)
