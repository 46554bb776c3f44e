"""Structures of towers, and the augmented ones: each against numbers worked by hand."""

from math import sqrt

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench import Catalog, Categorical
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.history import PooledHistory
from bench_neural.users import UserEncoder
from bench_vector.augmented import AugmentedTowers, Mimicry
from bench_vector.structures import SHORTCUTS, Channels, Parallel, Shortcut, SqueezeExcitation, structure_of
from bench_vector.tower import Items, met_mean

FIELDS = torch.tensor([[[1.0, 2.0], [3.0, 5.0], [-1.0, 0.0]]])  # (1, 3, 2)


def plain(layer: nn.Module) -> None:
    """The fields as they are."""
    layer.norm = nn.Identity()  # type: ignore[assignment]


def test_squeeze_and_excitation_weighs_fields_by_what_all_say() -> None:
    structure = SqueezeExcitation(3, 2, 4, 0.0)
    with torch.no_grad():
        structure.squeeze.weight.copy_(torch.tensor([[1.0, 1.0, 1.0]]))
        structure.squeeze.bias.zero_()
        structure.excite.weight.copy_(torch.tensor([[1.0], [-1.0], [0.5]]))
    # means 1.5, 4, -.5: squeezed to 5; excited by 1, -1, .5 and the bias of 1
    assert structure.weights(FIELDS)[0].tolist() == pytest.approx([6.0, 0.0, 3.5])


def test_parallel_networks_are_one_inner_product() -> None:
    torch.manual_seed(0)
    structure = Parallel(3, 2, 4, 0.0)
    plain(structure)
    with torch.no_grad():
        structure.weights.copy_(torch.tensor([1.0, 2.0, 3.0]))
        structure.product.weight.copy_(torch.eye(2))
        structure.product.bias.zero_()
        structure.crossed.weight.zero_()
        structure.crossed.bias.zero_()
        structure.crossed.weight[0, 0] = structure.crossed.weight[1, 3] = 1.0
        for layer in structure.crosses:
            layer.weight.zero_()
            layer.bias.fill_(1.0)
    vector = structure(FIELDS)[0].detach()
    assert vector.shape == (6,)
    # cross: x0 * 1 + x0 = 2 x0, then 3 x0; of places 0 and 3: 3 and 15, weighed by 2
    assert vector[2:4].tolist() == pytest.approx([6.0, 30.0])
    # pairs: 1*3 - 1*1 - 3*1 = -1 and 2*5 = 10, weighed by 3
    assert vector[4:].tolist() == pytest.approx([-3.0, 30.0])


@pytest.mark.parametrize("to", SHORTCUTS)
def test_shortcuts_lead_past_layers_that_say_nothing(to: str) -> None:
    structure = Shortcut(3, 2, 4, 0.0, to)
    with torch.no_grad():
        for weight in structure.first[0].parameters():
            weight.zero_()  # nothing comes through the first layer
    moved = FIELDS.clone()
    moved[0, 0] += torch.tensor([1.0, -2.0])
    differs = (structure(FIELDS) - structure(moved)).abs().max() > 1e-6
    assert differs
    assert structure(FIELDS).shape[1] == structure.width == (4 if to == "wide" else 2)


def test_channels_are_weighed_by_a_softmax() -> None:
    structure = Channels(3, 2, 4, 0.0)
    plain(structure)
    with torch.no_grad():
        structure.own.copy_(torch.eye(2).expand(3, 2, 2))
        structure.attend.weight.zero_()
        structure.attend.bias.copy_(torch.tensor([0.0, 0.0, 2.0]).log().nan_to_num(neginf=-1e4))
    assert structure(FIELDS)[0].tolist() == pytest.approx([-1.0, 0.0])  # the third alone
    with torch.no_grad():
        structure.attend.bias.zero_()
    assert structure(FIELDS)[0].tolist() == pytest.approx([1.0, 7 / 3])  # all alike


@pytest.mark.parametrize("name", ["layers", "senet", "shortcut", "parallel", "channels"])
def test_any_leading_shape_gives_the_same_vectors(name: str) -> None:
    torch.manual_seed(1)
    structure = structure_of(name, 3, 4, 8, 0.5, "middle")
    assert structure is not None
    fields = torch.randn(2, 5, 3, 4)
    structure.eval()
    torch.testing.assert_close(structure(fields)[1, 2], structure(fields[1, 2][None])[0])


def test_fields_sum_to_the_embedding() -> None:
    group = Categorical(np.array([0, 1, 1, -1], np.int32), ["x", "y"])
    maker = Categorical(np.array([2, 0, 1, 1], np.int32), ["a", "b", "c"])
    items = ItemEncoder(Catalog(4, {"group": group, "maker": maker}), np.ones(4, bool), 6, id_dropout=0.0).eval()
    fields = items.fields(torch.tensor([3, 0]))
    assert fields.shape == (2, 3, 6) and fields[0, 1].abs().max() == 0  # of no group
    torch.testing.assert_close(fields.sum(1), items(torch.tensor([3, 0])))
    assert items.categories(torch.arange(4)).tolist() == [1, 2, 2, 0]


def test_the_mean_of_what_was_met() -> None:
    history = torch.tensor([[[2.0], [4.0]], [[6.0], [0.0]]])
    chosen = torch.tensor([[True, False, True], [False, True, False]])
    assert met_mean(history, chosen).flatten().tolist() == [0.0, 3.0, 6.0]


def test_augmented_vectors_mimic_the_other_tower_by_hand() -> None:
    group = Categorical(np.array([0] * 8 + [1] * 8, np.int32), ["x", "y"])
    items = ItemEncoder(Catalog(16, {"group": group}), np.ones(16, bool), 2, id_dropout=0.0)
    users = UserEncoder(ProfileEncoder({}, 2), PooledHistory(2), 2, 3)
    structures = structure_of("layers", 3, 2, 4, 0.0, "last"), structure_of("layers", 4, 2, 4, 0.0, "last")
    assert structures[0] is not None and structures[1] is not None
    towers = AugmentedTowers(items, users, None, "inner", structures, Mimicry("bottom", 0.5, 0.1))  # type: ignore[arg-type]
    with torch.no_grad():
        towers.item_augmented.copy_(torch.tensor([0.0, 3.0]).expand(17, 2))
        towers.user_augmented.weight.copy_(torch.eye(2))
        towers.user_augmented.bias.zero_()
    history, chosen = torch.tensor([[[5.0, 0.0]]]), torch.tensor([[False, True]])
    asked = torch.tensor([[1.0, 1.0]], requires_grad=True)
    vectors = torch.zeros(16, 2)
    vectors[:8, 0] = torch.arange(8.0)  # its variance is 5.25; the other category's is 0
    vectors[8:, 1] = 2.0
    vectors.requires_grad_()
    loss: Tensor = towers.further(history, chosen, asked, torch.arange(16), Items(vectors, vectors), torch.tensor([9]))
    # a_u = (1, 0) from (0, 1): 2; a_v = (0, 1) from (1, 1) / sqrt 2: 2 - sqrt 2; covariances: 5.25^2
    assert float(loss.detach()) == pytest.approx(0.5 * (2 + 2 - sqrt(2)) + 0.1 * 5.25**2, rel=1e-4)
    loss.backward()
    assert asked.grad is None  # what is mimicked does not move
