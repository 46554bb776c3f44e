"""Paths and their trie, the path model's probabilities, and the beam search over both."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import DataError, Ragged
from bench_dr.layers import PathLayers
from bench_dr.paths import NONE, Paths, Trie, codes_of, numbers_of
from bench_dr.search import best_paths, candidates, path_scores


def model(nodes, layers, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = PathLayers(8, nodes, layers, 16).eval().requires_grad_(False)
        for weight in made.parameters():
            weight.data.normal_(0, 0.5)
        return made, torch.randn(5, 8)


def every_path(nodes, layers):
    return codes_of(np.arange(nodes**layers), nodes, layers)


def all_chances(layers, states):
    """log p of every path by the model's own forward pass, float32 [R, K^D]."""
    codes = torch.from_numpy(every_path(layers.nodes, layers.layers))
    with torch.no_grad():
        return layers(states, codes.expand(len(states), -1, -1)).numpy()


def some_paths(rng, nodes, layers, items, each):
    numbers = np.full((items, each), NONE, np.int64)
    for item in range(items):
        count = rng.integers(1, min(each, nodes**layers) + 1)
        numbers[item, :count] = rng.choice(nodes**layers, count, replace=False)
    return Paths(nodes, layers, numbers)


@given(st.integers(2, 9), st.integers(1, 4))
def test_a_path_has_one_number_and_paths_that_begin_alike_stand_together(nodes, layers):
    codes = every_path(nodes, layers)
    np.testing.assert_array_equal(numbers_of(codes, nodes), np.arange(nodes**layers))
    assert sorted(map(tuple, codes.tolist())) == list(map(tuple, codes.tolist()))


@pytest.mark.parametrize(("nodes", "layers"), [(2, 1), (7, 1), (5, 2), (4, 3), (3, 5)])
def test_the_probabilities_of_all_paths_sum_to_one(nodes, layers):
    made, states = model(nodes, layers)
    np.testing.assert_allclose(np.exp(all_chances(made, states).astype(np.float64)).sum(1), 1, atol=1e-5)


def test_a_path_s_probability_by_hand():
    made, states = model(3, 2)
    with torch.no_grad():
        first = made.judges[0](made.own[0](states).relu()).softmax(1)
        seen = torch.cat(
            [states, made.vectors[0, 1].expand(5, -1)], 1
        )  # after node 1: the MLP over [state; its vector]
        weight = torch.cat([made.own[1].weight, made.before[0].weight], 1)
        second = made.judges[1]((seen @ weight.T + made.own[1].bias).relu()).softmax(1)
        wanted = (first[:, 1] * second[:, 2]).log()
        found = made(states, torch.tensor([[[1, 2]]]).expand(5, 1, 2))[:, 0]
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("nodes", "layers"), [(7, 1), (5, 2), (4, 3)])
def test_with_a_beam_of_all_paths_the_search_is_enumeration(nodes, layers):
    made, states = model(nodes, layers)
    chances = all_chances(made, states)
    found = best_paths(made, states, nodes**layers)
    np.testing.assert_array_equal(found.numbers, np.argsort(-chances, 1, kind="stable"))
    np.testing.assert_allclose(found.chances, -np.sort(-chances, 1), atol=1e-5)
    assert (found.work == sum(nodes**at for at in range(layers))).all()


def test_a_narrow_beam_keeps_the_best_beginnings():
    made, states = model(4, 2)
    chances = all_chances(made, states).reshape(5, 4, 4)
    found = best_paths(made, states, 2)
    first = np.exp(chances).sum(2).argsort(1)[:, ::-1][:, :2]
    for row in range(5):
        below = np.array([chances[row, node] for node in first[row]])
        np.testing.assert_allclose(found.chances[row], -np.sort(-below.ravel())[:2], atol=1e-5)
    assert (found.work == 3).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 3), st.integers(1, 30), st.integers(1, 3))
def test_over_a_trie_only_paths_in_use_are_found(seed, nodes, layers, items, each):
    rng = np.random.default_rng(seed)
    paths = some_paths(rng, nodes, layers, items, each)
    weights = paths.shares(rng.random((items, each)).astype(np.float32))
    np.testing.assert_allclose(
        np.bincount(np.unique(paths.numbers, return_inverse=True)[1].ravel(), weights.ravel())[-len(paths.sizes) :],
        1,
        rtol=1e-5,
    )
    trie = Trie.of(paths, np.arange(items, dtype=np.int32), weights)
    np.testing.assert_array_equal(trie.numbers, np.unique(paths.numbers[paths.numbers != NONE]))
    for row, number in enumerate(trie.numbers):
        lying = trie.items[trie.offsets[row] : trie.offsets[row + 1]]
        np.testing.assert_array_equal(lying, np.flatnonzero((paths.numbers == number).any(1)))
    made, states = model(nodes, layers, seed)
    chances = all_chances(made, states)[:, trie.numbers]
    with torch.no_grad():
        found = best_paths(made, states, nodes**layers, trie)
        scores = path_scores(made, states, trie, paths.numbers, weights)
    there = np.isfinite(found.chances)
    assert (there.sum(1) == len(trie)).all()
    np.testing.assert_allclose(found.chances[:, : len(trie)], -np.sort(-chances, 1), atol=1e-4)
    np.testing.assert_array_equal(found.numbers[there], trie.numbers[found.rows[there]])
    for item in range(items):
        there = paths.numbers[item] != NONE
        mine = np.searchsorted(trie.numbers, paths.numbers[item][there])
        wanted = np.logaddexp.reduce(chances[:, mine] + np.log(weights[item][there]), 1)
        np.testing.assert_allclose(scores[:, item], wanted, atol=1e-4)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_candidates_are_the_likeliest_items_of_the_best_paths_that_are_not_excluded(seed, count):
    rng = np.random.default_rng(seed)
    paths = some_paths(rng, 4, 2, 30, 3)
    weights = paths.shares(rng.integers(1, 4, (30, 3)).astype(np.float32))
    trie = Trie.of(paths, rng.permutation(30).astype(np.int32), weights)
    made, states = model(4, 2, seed)
    exclude = Ragged.from_rows([np.sort(rng.choice(30, rng.integers(0, 20), replace=False)) for _ in range(5)])
    with torch.no_grad():
        found = best_paths(made, states, 6, trie)
    items, scores, counts = candidates(found, trie, count, exclude)
    for row in range(5):
        sums = np.zeros(30)
        for at, chance in zip(found.rows[row], found.chances[row], strict=True):
            for one in range(trie.offsets[at], trie.offsets[at + 1]) if np.isfinite(chance) else []:
                sums[trie.items[one]] += np.exp(chance) * trie.weights[one]
        sums[exclude[row]] = 0
        best = np.argsort(-sums, kind="stable")[: min(count, (sums > 0).sum())]
        mine = items[row, : counts[row]]
        assert len(np.unique(mine)) == len(mine) == len(best)
        np.testing.assert_allclose(np.sort(sums[mine]), np.sort(sums[best]), rtol=1e-4)
        np.testing.assert_allclose(scores[row, : counts[row]], np.log(sums[mine]), atol=1e-3)


def test_paths_that_do_not_fit_are_refused_with_the_item_named(tmp_path):
    def refused(numbers, said):
        np.save(tmp_path / "paths.npy", np.array(numbers))
        with pytest.raises(DataError, match=said):
            Paths.load(tmp_path, 3, 2)

    refused([[0, 1], [2, 9]], "item 1 lies on a path that 2 layers of 3 nodes lack")
    refused([[0, 1], [2, 3], [4, 4]], "item 2 lies on the same path twice")
    refused([0.5], "no table of paths")
    (tmp_path / "paths.npy").unlink()
    with pytest.raises(DataError, match="train again"):
        Paths.load(tmp_path, 3, 2)
    with pytest.raises(ValueError, match="more paths than can be numbered"):
        Paths(10_000, 5, np.zeros((1, 1), np.int64))
