"""The simulator's truth: what it says will happen happens, as often as it says."""

import numpy as np
import pytest

from bench import Ragged, Requests
from bench_datasets.synthetic import generate
from bench_datasets.synthetic_preferences import Preferences

WORLD = {"items": 300, "interactions": 160_000, "length": 20, "category_items": 30, "seed": 5, "arriving": 0.5}


def _sequences(parameters):
    made = generate(parameters)
    users, items, times = (np.concatenate(parts) for parts in zip(*made.batches, strict=True))
    return made, Ragged.from_keys(users, items, made.users), times


def _requests(sequences, steps, name=lambda ids: ids):
    """One request a user: what comes after `steps` [users] choices; `name`: dataset ids to task ids."""
    users = np.flatnonzero(sequences.lengths > steps)
    steps = steps[users]
    history = Ragged.from_rows([name(sequences[user][:step]) for user, step in zip(users, steps, strict=True)])
    targets = name(sequences.values[sequences.offsets[users] + steps])
    exclude = Ragged.from_rows([np.sort(row) for row in history])
    keys = users * np.int64(2**24) + steps
    return Requests(keys, np.full(len(users), -1, np.int32), history, exclude), targets


@pytest.fixture(scope="module")
def drawn():
    made, sequences, times = _sequences(WORLD)
    steps = np.arange(made.users) % 15
    requests, targets = _requests(sequences, steps)
    chances = Preferences(WORLD, np.arange(300)).scores(requests).astype(np.float64)
    return made, sequences, times, requests, targets, chances / chances.sum(1, keepdims=True)


def test_every_choice_was_possible_and_no_impossible_item_has_a_chance(drawn):
    made, sequences, times, requests, targets, chances = drawn
    assert (chances[np.arange(len(requests)), targets] > 0).all()
    assert (chances[requests.history.rows(), requests.history.values] == 0).all()
    moments = times[sequences.offsets[requests.keys >> 24] + (requests.keys & (2**24 - 1))]
    assert (chances[made.items.first_seen[None] > moments[:, None]] == 0).all()


def test_hits_come_as_often_as_the_chances_say(drawn):
    *_, targets, chances = drawn
    order = np.argsort(-chances, axis=1, kind="stable")
    ranks = np.argmax(order == targets[:, None], axis=1)
    for k in (1, 2, 5, 10, 20, 50, 100):
        expected = np.take_along_axis(chances, order[:, :k], 1).sum(1)
        error = np.sqrt((expected * (1 - expected)).sum())
        assert abs((ranks < k).sum() - expected.sum()) < 4 * error, k


def test_chances_are_calibrated_at_every_size(drawn):
    *_, targets, chances = drawn
    hit = np.zeros(chances.shape, bool)
    hit[np.arange(len(targets)), targets] = True
    edges = np.quantile(chances[chances > 0], np.linspace(0, 1, 21))
    cell = np.digitize(chances, edges[1:-1])
    for part in range(20):
        inside = (cell == part) & (chances > 0)
        expected, error = chances[inside].sum(), np.sqrt((chances[inside] * (1 - chances[inside])).sum())
        assert abs(hit[inside].sum() - expected) < 4 * error + 1, part


def test_first_choices_come_from_interests_and_browsing_alone(drawn):
    *_, requests, targets, chances = drawn
    first = requests.history.lengths == 0
    expected = chances[first].sum(0)
    seen = np.bincount(targets[first], minlength=300)
    error = np.sqrt((chances[first] * (1 - chances[first])).sum(0))
    assert np.mean(((seen - expected) / np.maximum(error, 1e-9))[expected > 1] ** 2) == pytest.approx(1, abs=0.4)


def test_the_task_may_number_and_choose_items_otherwise(drawn):
    made, sequences, *_ = drawn
    kept = np.random.default_rng(0).permutation(300)[:250]
    task_id = np.full(300, -1)
    task_id[kept] = np.arange(250)
    rows = [user for user in range(60) if np.isin(sequences[user][:4], kept).all()]
    steps = np.full(made.users, 10**6)
    steps[rows] = 4
    all_requests, _ = _requests(sequences, steps)
    task_requests, _ = _requests(sequences, steps, lambda ids: task_id[ids])
    whole = Preferences(WORLD, np.arange(300)).scores(all_requests)
    assert len(whole) > 5
    assert np.array_equal(Preferences(WORLD, kept).scores(task_requests), whole[:, kept])


def test_one_choice_leads_to_eight_items():
    parameters = {**WORLD, "relatedness": 1.0, "browsing": 0.0, "interactions": 4000}
    _, sequences, _ = _sequences(parameters)
    requests, _ = _requests(sequences, np.full(len(sequences), 1))
    chances = Preferences(parameters, np.arange(300)).scores(requests)
    possible = np.count_nonzero(chances, axis=1)
    assert possible.max() == 8
    assert possible.min() >= 1


def test_a_long_life_is_lived_again_quickly():
    parameters = {"items": 100, "interactions": 1000}
    keys = np.full(50, (3 << 24) + 20_000)
    requests = Requests(keys, np.full(50, -1, np.int32), Ragged.empty(50), Ragged.empty(50))
    assert (Preferences(parameters, np.arange(100)).scores(requests).sum(1) > 0.9).all()
