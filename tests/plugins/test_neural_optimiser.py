"""AdamW beside row-wise Adam."""

import math

import pytest
import torch
from torch.nn import functional

from bench_neural.optimiser import Optimiser, distinct


def test_repeated_rows_are_summed() -> None:
    table = torch.nn.Parameter(torch.zeros(5, 2))
    given = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    (functional.embedding(torch.tensor([4, 1, 4]), table, sparse=True) * given).sum().backward()
    rows, gradient = distinct(table.grad)
    assert rows.tolist() == [1, 4] and gradient.tolist() == [[3, 4], [6, 8]]


def test_a_row_moves_by_the_rate_at_first_and_others_stay() -> None:
    table = torch.nn.Parameter(torch.ones(4, 2))
    model = torch.nn.ParameterList([table])
    optimiser = Optimiser(model, 0.1, 0.5, weight_decay=0.0, clip=1e9)
    for _ in range(3):  # however late a row comes, its first step is the same
        optimiser.step(functional.embedding(torch.tensor([2]), table, sparse=True).sum() * 7, 1.0)
    before = table.detach().clone()
    optimiser.step(functional.embedding(torch.tensor([0]), table, sparse=True).sum() * 7, 0.5)
    torch.testing.assert_close(before - table, torch.tensor([[0.25, 0.25], [0, 0], [0, 0], [0, 0]]))
    assert torch.equal(table[1], torch.ones(2))


def test_a_table_touched_in_every_batch_moves_as_adamw_moves_it() -> None:
    """Where a row's gradients are equal in size over the row, its one second moment is that of each number."""
    moved = []
    for sparse in (True, False):
        torch.manual_seed(0)
        table = torch.nn.Parameter(torch.randn(6, 4))
        model = torch.nn.ParameterList([table])
        optimiser = Optimiser(model, 0.1, 0.1, weight_decay=0.1, clip=0.7)
        for step in range(20):
            signs = torch.randint(2, (6, 4)) * 2.0 - 1
            rows = functional.embedding(torch.arange(6), table, sparse=sparse)
            optimiser.step((rows * signs * (1 + step % 3)).sum(), 1 - step / 40)
        moved.append(table.detach())
    torch.testing.assert_close(moved[0], moved[1], rtol=1e-4, atol=1e-5)


def test_the_bound_is_on_all_gradients_together() -> None:
    table, weight = torch.nn.Parameter(torch.zeros(3, 1)), torch.nn.Parameter(torch.zeros(1))
    optimiser = Optimiser(torch.nn.ParameterList([table, weight]), 0.1, 0.1, 0.0, clip=1.0)
    loss = 3 * weight.sum() + 4 * functional.embedding(torch.tensor([1]), table, sparse=True).sum()
    optimiser.step(loss, 1.0)
    assert optimiser.adam.state[weight]["exp_avg"].item() == pytest.approx(0.1 * 3 / 5)
    assert optimiser.rows[0].state["first"][1].item() == pytest.approx(0.1 * 4 / 5)
    assert math.isclose(weight.item(), -0.1, rel_tol=1e-4) and math.isclose(table[1].item(), -0.1, rel_tol=1e-4)
