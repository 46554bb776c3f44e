"""Items, profiles and histories as vectors."""

import numpy as np
import pytest
import torch

from bench import Catalog, Categorical, Ragged, Requests
from bench_neural.encoders import ItemBias, ItemEncoder, ProfileEncoder
from bench_neural.history import CausalTransformer, PooledHistory, RecurrentHistory, aligned
from bench_neural.users import UserEncoder


def kinds(codes: list[int]) -> Catalog:
    return Catalog(len(codes), {"kind": Categorical(np.array(codes, np.int32), ["a", "b", "c"])})


def test_items_that_training_never_saw_are_told_apart_by_side_information() -> None:
    encoder = ItemEncoder(kinds([0, 1, 2]), np.array([True, True, False]), dim=8).eval()
    encoder.bind(kinds([0, 1, 2, 0, 0, 1]))
    vectors = encoder()
    assert vectors.shape == (6, 8)
    torch.testing.assert_close(vectors[3], vectors[4])
    assert not torch.allclose(vectors[3], vectors[5])
    assert not torch.allclose(vectors[0], vectors[3])
    torch.testing.assert_close(encoder(torch.tensor([5, 2])), vectors[[5, 2]])


def test_ids_are_hidden_in_training_only() -> None:
    encoder = ItemEncoder(Catalog(50), np.ones(50, bool), dim=4, id_dropout=1.0)
    assert (encoder() == encoder.ids[0]).all()
    assert len(encoder.eval()().unique(dim=0)) == 50


def test_biases_begin_at_the_log_frequency_and_unknown_items_at_the_least() -> None:
    bias = ItemBias(np.array([1, 0, 100]))
    half = float(np.log(100)) / 2
    torch.testing.assert_close(bias(torch.tensor([0, 1, 2]))[:, 0].detach(), torch.tensor([-half, -half, half]))


def test_items_that_came_after_training_are_biased_like_a_known_one_if_described() -> None:
    def catalog(size: int) -> Catalog:
        kind = Categorical(np.where(np.arange(size) == 4, -1, np.arange(size) % 2).astype(np.int32), ["a", "b"])
        return Catalog(size, {"kind": kind})

    counts = np.array([1, 0, 100])
    encoder, bias = ItemEncoder(catalog(3), counts > 0, dim=4), ItemBias(counts)
    with torch.no_grad():
        bias.table[1:] += 5.0  # learnt
    encoder.bind(catalog(5))
    half = float(np.log(100)) / 2
    found = encoder.biases(bias)[:, 0].detach()
    torch.testing.assert_close(found, torch.tensor([5 - half, -half, 5 + half, 5.0, -half]))
    torch.testing.assert_close(encoder.biases(bias, torch.tensor([3, 1]))[:, 0].detach(), found[[3, 1]])


def test_aligned_keeps_the_newest_items_oldest_first() -> None:
    ids, lengths = aligned(Ragged.from_rows([[1, 2, 3], [], [4]]), 2)
    assert ids.tolist() == [[2, 3], [-1, -1], [4, -1]]
    assert lengths.tolist() == [2, 0, 1]


@pytest.mark.parametrize("encoder", [PooledHistory(8), RecurrentHistory(8), CausalTransformer(8, 6)])
def test_a_state_sees_nothing_of_what_comes_later(encoder: torch.nn.Module) -> None:
    encoder.eval()
    items, start = torch.randn(3, 6, 8), torch.randn(3, 8)
    states = encoder(items, start)
    assert states.shape == (3, 7, 8)
    for length in (0, 2, 5):
        shorter = encoder(items[:, :length], start)
        torch.testing.assert_close(shorter[:, length], states[:, length], rtol=1e-4, atol=1e-5)
    changed = items.clone()
    changed[:, 4] *= -1
    assert not torch.allclose(encoder(changed, start)[:, 5], states[:, 5])


def test_a_request_is_encoded_alike_alone_and_in_any_batch() -> None:
    torch.manual_seed(0)
    profiles = {"group": Categorical(np.array([0, 1, 1, -1], np.int32), ["x", "y"])}
    encoder = UserEncoder(ProfileEncoder(profiles, 8), CausalTransformer(8, 5), 8, 5).eval()
    history = Ragged.from_rows([[0, 1, 2, 3, 4, 5, 6], [], [9], [3, 3]])
    requests = Requests(np.arange(4), np.full(4, -1, np.int32), history, Ragged.empty(4), profiles=profiles)
    items = torch.randn(10, 8)
    with torch.inference_mode():
        together, _, lengths = encoder.read(requests, items)
        for row in range(4):
            alone, _, length = encoder.read(requests[row : row + 1], items)
            assert length[0] == lengths[row]
            torch.testing.assert_close(alone[0, length[0]], together[row, length[0]], rtol=1e-4, atol=1e-5)
