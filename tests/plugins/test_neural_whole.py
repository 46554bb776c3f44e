"""What a whole score learns: the adversarial task by its definition, and which networks it teaches."""

import numpy as np
import pytest
import torch

from bench import Catalog, Interactions, Ragged
from bench_neural.encoders import ItemEncoder, ProfileEncoder
from bench_neural.history import CausalTransformer
from bench_neural.negatives import NegativeSampler
from bench_neural.network import Network
from bench_neural.scorers import scorer_of
from bench_neural.users import UserEncoder
from bench_neural.whole import Aims, Objective
from bench_neural.windows import Windows

ITEMS = 40


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    by_user = Ragged.from_rows([rng.integers(ITEMS, size=9).astype(np.int32) for _ in range(6)])
    return Interactions(by_user.rows().astype(np.int32), by_user.values, by_user)


def objective(world, **aims):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    counts = np.bincount(world.items, minlength=ITEMS)
    encoder = ItemEncoder(Catalog(ITEMS), counts > 0, 8, id_dropout=0.0)
    users = UserEncoder(ProfileEncoder({}, 8), CausalTransformer(8, 8, 1, 2, 0.0), 8, 8)
    users.bind({}, len(world.by_user))
    network = Network(encoder, users, scorer_of("attention", 8, 4, 16, 2), counts)
    settings = {"negatives": 16, "moments": 2, "joint": 1.0, "loss": "softmax", "later": 0.0} | aims
    batch = next(iter(Windows(world, 8, 0.0, 6, generator)))
    return Objective(network, counts, NegativeSampler(counts, generator), generator, Aims(**settings)), batch


class WithoutInner:
    """An inner objective whose own loss is none."""

    def __init__(self, inner):
        self.known, self.read, self.contrast = inner.known, inner.read, inner.contrast

    def __call__(self, moments, drawn):
        return torch.zeros(())


def test_the_whole_score_teaches_the_other_networks_as_much_as_it_may(world):
    gradients = {}
    for joint in (1.0, 0.5, 0.0):
        aim, batch = objective(world, joint=joint)
        aim.inner = WithoutInner(aim.inner)
        aim(batch).backward()
        gradients[joint] = aim.network.encoder.ids.grad
        assert all(weights.grad is not None for weights in aim.network.scorer.parameters())
    assert gradients[1.0].abs().sum() > 0 and not gradients[0.0].any()
    torch.testing.assert_close(gradients[0.5], gradients[1.0] / 2)


def test_no_step_is_no_divergence_and_a_larger_step_a_larger_one(world):
    values = []
    for epsilon, smoothing in ((0.0, 0.0), (0.0, 100.0), (0.1, 100.0), (0.5, 100.0)):
        aim, batch = objective(world, epsilon=epsilon, smoothing=smoothing)
        values.append(float(aim(batch).detach()))
    assert values[1] == pytest.approx(values[0], abs=1e-3)
    assert values[1] + 1e-3 < values[2] < values[3]


@pytest.mark.parametrize("joint", [1.0, 0.0])
def test_each_pair_steps_towards_a_larger_loss_of_its_own(world, joint, monkeypatch):
    """An item's vector moves by epsilon times the vectors' mean size: a target's down its score with this user,
    another's up."""
    aim, batch = objective(world, epsilon=1e-4, smoothing=1.0, joint=joint)
    scorer, asked, tables = aim.network.scorer, [], []
    pairs, items = scorer.pairs, scorer.items

    def noting(state, table):
        asked.append(state)
        return pairs(state, table)

    def made(vectors):
        tables.append(vectors.detach())
        return items(vectors)

    monkeypatch.setattr(scorer, "pairs", noting)
    monkeypatch.setattr(scorer, "items", made)
    aim(batch)
    before, after = tables[-2:]
    moved = (after - before)[..., :-1]
    size = 1e-4 * before[0, 1:, :-1].abs().mean()
    assert before.shape == (12, 13, 9) and torch.equal(before[..., -1], after[..., -1])
    torch.testing.assert_close(moved[moved.abs() > size / 2].abs().mean(), size, rtol=1e-2, atol=0)
    rose = pairs(asked[-1], items(after.double().float())) - pairs(asked[-2], items(before))
    assert (rose[:, 0] < 0).all() and (rose[:, 1:] > 0).all()
    apart = moved[:, 1:].sign()
    assert (apart != apart[:1]).any(), "the same item moves otherwise for another user"


@pytest.mark.parametrize("name", ["interests", "attention", "windows", "inner"])
@torch.inference_mode()
def test_moments_that_share_behaviours_ask_as_each_would_alone(world, name):
    aim, batch = objective(world)
    network, dim = aim.network, aim.network.encoder.dim
    network.scorer = scorer_of(name, dim, 4, 16, 2)
    items = network.items()
    history = items[batch.history.clamp(min=0), :dim]
    states = network.users.windows(batch, history)
    at = torch.tensor([[0, 1, 5, 7]]).expand(len(history), -1)
    together = network.moments(at, states, history)  # 16 looks back at 8 behaviours
    for column in range(at.shape[1]):
        alone = network.moments(at[:, column : column + 1], states, history)
        rows = torch.arange(len(history)) * at.shape[1] + column
        scores = [network.scorer.block(one, network.scorer.items(items)) for one in (together.ordered(rows), alone)]
        torch.testing.assert_close(*scores)
