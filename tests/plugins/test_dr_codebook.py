"""The codebook of streaming vector quantisation, worked by hand."""

import torch

from bench_dr.codebook import Codebook


def book(keep=0.5, balance=0.0):
    made = Codebook(2, 2, 5, keep, balance)
    made.sums.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    return made


def test_nodes_come_after_their_items():
    made = book()
    made.follow(torch.tensor([3, 1]), torch.tensor([[1.0, 0.0], [6.0, 2.0]]), torch.tensor([1.0, 3.0]))
    assert made.place.tolist() == [-1, 1, -1, 0, -1]
    torch.testing.assert_close(made.weights, torch.tensor([1.0, 2.0]))  # half of 1 and of what came
    torch.testing.assert_close(made.centroids, torch.tensor([[0.5, 0.0], [(2 + 9) / 2, 3 / 2]]))


def test_a_node_that_little_has_come_to_seems_nearer():
    made = book(balance=1.0)
    vector = torch.tensor([[1.9, 0.0]])
    assert made.nearest(vector).tolist() == [0]
    made.weights.copy_(torch.tensor([1.5, 0.5]))
    made.sums.copy_(torch.tensor([[0.0, 0.0], [2.0, 0.0]]))  # the same centroids
    assert made.nearest(vector).tolist() == [1]  # 3.61 against 4.41 * .5


def test_probabilities_of_the_nodes_sum_to_one():
    made = book().eval()
    with torch.no_grad():
        chances = made(torch.randn(3, 2), torch.arange(2).view(1, 2, 1).expand(3, -1, -1))
    torch.testing.assert_close(chances.exp().sum(1), torch.ones(3))
