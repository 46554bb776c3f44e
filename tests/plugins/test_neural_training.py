"""Windows of the training sequences and the loop over them."""

import dataclasses
import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import Context, Evaluation, Interactions, Ragged, Requests
from bench_neural import checkpoint
from bench_neural.execution import seeded
from bench_neural.training import Outcome, Schedule, fit, passes
from bench_neural.validation import validation_recall
from bench_neural.windows import Batch, Windows, expected_targets, later_share

ROWS = [list(range(10, 22)), [3, 4], [], [7], list(range(40, 43))]


def windows(later: float, length: int = 4, seed: int = 0) -> Windows:
    by_user = Ragged.from_rows(ROWS)
    interactions = Interactions(by_user.rows().astype(np.int32), by_user.values, by_user)
    return Windows(interactions, length, later, 2, torch.Generator().manual_seed(seed))


def context(tmp_path: Path) -> Context:
    return Context(0, np.random.default_rng(0), "cpu", 1, tmp_path, lambda *_: None, logging.getLogger("test"))


def test_each_moment_asks_for_the_next_item() -> None:
    seen: list[int] = []
    for batch in windows(later=0.0):
        for history, targets, user in zip(batch.history, batch.targets, batch.users, strict=True):
            row = ROWS[int(user)]
            found = targets[targets >= 0].tolist()
            begin = row.index(found[0])
            assert row[begin : begin + len(found)] == found and len(found) == min(len(row), 5)
            assert history[: len(found) - 1].tolist() == found[:-1]
            seen.append(int(user))
    assert sorted(seen) == [0, 0, 0, 1, 3, 4]


def test_later_targets_come_from_the_rest_of_the_window() -> None:
    draws = windows(later=1.0)
    ever: set[tuple[int, int]] = set()
    for _ in range(60):
        batch = draws.draw(torch.tensor([4]))
        for moment, target in enumerate(batch.targets[0].tolist()):
            ever.add((moment, target))
    assert ever == {(0, 40), (0, 41), (0, 42), (1, 41), (1, 42), (2, 42)}


def test_an_epoch_counts_its_moments_and_batches() -> None:
    epoch = windows(later=0.5)
    batches = list(epoch)
    assert len(batches) == len(epoch) == 3
    assert sum(map(len, batches)) == epoch.moments == 3 * 5 + 2 + 1 + 3


def test_expected_targets_are_the_mean_over_draws() -> None:
    following = torch.tensor([[[1.0], [2.0], [6.0], [99.0]]])
    moments = torch.tensor([[True, True, True, False]])
    mean = expected_targets(following, moments, later=0.5)[0, :3, 0]
    torch.testing.assert_close(mean, torch.tensor([0.5 * 1 + 0.5 * 3, 0.5 * 2 + 0.5 * 4, 6.0]))


def test_further_targets_of_a_moment_are_drawn_as_its_own() -> None:
    following = torch.tensor([[5, 6, 7, 8, -1]])
    batch = Batch(torch.zeros(1).long(), following[:, :-1], following, following)
    at = torch.tensor([[0, 2, 3]])
    drawn = batch.later(at, 4000, 0.5, torch.Generator().manual_seed(0))[0]
    for moment, row in zip(at[0].tolist(), drawn, strict=True):
        rest = 4 - moment
        expected = np.full(rest, 0.5 / rest) + 0.5 * (np.arange(rest) == 0)
        found = np.bincount(row.numpy(), minlength=9)[5 + moment :] / 4000
        np.testing.assert_allclose(found, expected, atol=0.03)
    assert (batch.later(at, 3, 0.0, torch.Generator())[0] == following[0, at[0]][:, None]).all()


def test_requests_with_several_targets_ask_for_later_items_too() -> None:
    one, several = Ragged.from_rows([[1], [2]]), Ragged.from_rows([[1], [2, 3]])
    assert later_share(-1.0, one) == 0.0
    assert later_share(-1.0, several) == 0.5
    assert later_share(0.0, several) == 0.0 and later_share(0.3, one) == 0.3


def test_dense_data_get_more_passes() -> None:
    assert [passes(*sizes) for sizes in ((0, 0), (400_000, 20_000), (383_000, 3_400), (10**7, 20_000))] == [
        3,
        3,
        14,
        20,
    ]


def test_the_learning_rate_rises_and_falls() -> None:
    schedule = Schedule(epochs=1, patience=1, seconds=0, learning_rate=1.0, warmup=9, final=0.2)
    assert schedule.factor(0, 100) == 0.1
    assert schedule.factor(50, 100) == 0.6
    assert schedule.factor(100, 100) == pytest.approx(0.2)


def test_on_a_slow_machine_the_learning_rate_falls_with_the_time_left() -> None:
    schedule = Schedule(epochs=20, patience=1, seconds=100, learning_rate=1.0, warmup=0, final=0.2)
    assert schedule.factor(50, 100, spent=20) == 0.6  # there is time for all batches: it does not matter how much
    assert schedule.factor(0, 100, spent=4) == schedule.factor(0, 100, spent=0.1) == 1  # nor how slow the first one was
    assert schedule.factor(10, 100, spent=52.5) == pytest.approx(0.6)
    assert schedule.factor(90, 100, spent=100) == pytest.approx(0.2)
    unlimited = Schedule(epochs=20, patience=1, seconds=0, learning_rate=1.0, warmup=0, final=0.2)
    assert unlimited.factor(50, 100, spent=1e6) == 0.6


def test_the_best_weights_are_kept_and_training_stops_when_validation_does_not_improve(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    values = iter([0.1, 0.5, 0.4, 0.3, 0.2, 0.9])
    weights: list[float] = []

    def validate() -> float:
        assert not model.training
        weights.append(model.weight.item())
        return next(values)

    schedule = Schedule(epochs=10, patience=3, seconds=0, learning_rate=0.1)
    outcome = fit(model, windows(0.0), lambda _: model.weight.square().sum(), validate, schedule, context(tmp_path))
    assert outcome == Outcome(best=0.5, best_epoch=2, epochs=5)
    assert model.weight.item() == weights[1]


def test_without_validation_requests_all_epochs_are_made_and_the_last_weights_kept(tmp_path: Path) -> None:
    model, weights = torch.nn.Linear(1, 1), []

    def validate() -> float:
        weights.append(model.weight.item())
        return math.nan

    schedule = Schedule(epochs=5, patience=2, seconds=0, learning_rate=0.1)
    outcome = fit(model, windows(0.0), lambda _: model.weight.square().sum(), validate, schedule, context(tmp_path))
    assert (outcome.best_epoch, outcome.epochs) == (5, 5)
    assert model.weight.item() == weights[-1] != weights[0]


def test_out_of_time_ends_the_training_after_a_validation(tmp_path: Path) -> None:
    model = torch.nn.Linear(1, 1)
    schedule = Schedule(epochs=1000, patience=1000, seconds=1e-9, learning_rate=0.1)
    outcome = fit(model, windows(0.0), lambda _: model.weight.sum(), lambda: 0.25, schedule, context(tmp_path))
    assert outcome.epochs <= 1


def test_progress_tells_loss_and_rate(tmp_path: Path) -> None:
    told: list[str] = []
    lent = context(tmp_path)
    lent = Context(0, lent.rng, "cpu", 1, tmp_path, lambda done, total, note: told.append(note), lent.log)
    model = torch.nn.Linear(1, 1)
    schedule = Schedule(epochs=2, patience=5, seconds=0, learning_rate=0.1)
    fit(model, windows(0.0), lambda _: model.weight.square().sum(), lambda: 0.5, schedule, lent)
    assert "epoch 1 · loss" in told[0] and "samples/s" in told[0]
    assert "best recall@50 0.5000" in told[-1]


def test_a_seed_fixes_weights_and_draws_and_leaves_the_rest_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with seeded(3) as one:
        first = torch.randn(4), torch.rand(4, generator=one)
    with seeded(3) as two:
        second = torch.randn(4), torch.rand(4, generator=two)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("pairs, expected", [(15, 1.0), (14, math.nan)])
def test_validation_leaves_excluded_items_out_and_says_nothing_of_few_requests(pairs: int, expected: float) -> None:
    none, count = Ragged.empty(2 * pairs), 2 * pairs
    requests = Requests(np.arange(count), np.full(count, -1, np.int32), none, Ragged.from_rows([[2], []] * pairs))
    evaluation = Evaluation(requests, Ragged.from_rows([[1], [2]] * pairs))
    items = torch.tensor([[0.0], [1.0], [2.0]])
    reached = validation_recall(torch.ones(count, 1), items, evaluation, k=1)
    assert reached == pytest.approx(expected, nan_ok=True)


class Small(torch.nn.Module):
    """A table with sparse gradients, a network with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Parameter(torch.randn(50, 4))
        self.network = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.network(torch.nn.functional.embedding(ids, self.table, sparse=True))


class Killed(BaseException):
    """What ends a process."""


def train_small(lent: Context, killed_at: int = 0, epochs: int = 4, seconds: float = 0.0) -> tuple[Small, Outcome, int]:
    """The model, the outcome and how many batches this process saw; Killed at batch number `killed_at`."""
    batches = 0
    with seeded(3) as generator:
        model = Small()
        epoch = windows(0.5, length=2)
        epoch.generator = generator

        def loss(batch) -> torch.Tensor:
            nonlocal batches
            batches += 1
            if batches == killed_at:
                raise Killed
            other = torch.randint(50, (8,), generator=generator)  # as negatives are drawn, between two batches
            drawn = torch.cat([batch.targets[batch.moments], other])
            return (model(drawn) - drawn[:, None] / 50).square().mean() + float(lent.rng.random()) * 0.0

        def validate() -> float:
            return -float((model(torch.arange(50)) - 0.3).square().mean()) + 10 * lent.rng.random()

        schedule = Schedule(epochs, 3, seconds, learning_rate=0.03, final=0.1)
        outcome = fit(model, epoch, loss, validate, schedule, lent, generators=[generator])
    return model, outcome, batches


@pytest.mark.parametrize("killed_at", [1, 2, 5, 7, 11])
def test_a_training_that_is_killed_goes_on_with_the_same_digits(tmp_path: Path, monkeypatch, killed_at: int) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "LEAST_SHARE", 0)
    whole, expected, all_batches = train_small(context(tmp_path))

    def lent() -> Context:
        return dataclasses.replace(context(tmp_path), checkpoint=tmp_path)

    with pytest.raises(Killed):
        train_small(lent(), killed_at)
    with pytest.raises(Killed):
        train_small(lent(), 2)  # and again, one batch later
    resumed, outcome, batches = train_small(lent())
    assert batches == all_batches - killed_at
    assert outcome == expected
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.FILE]


def test_time_spent_before_counts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "LEAST_SHARE", 0)
    lent = dataclasses.replace(context(tmp_path), checkpoint=tmp_path)
    with pytest.raises(Killed):
        train_small(lent, 2)
    file = checkpoint.Checkpoint(tmp_path)
    saved = file.read(lent)
    assert saved is not None and 0 < saved.facts["seconds"] < 100 and saved.facts["batch"] == 1
    parts = {name: saved.part(name) for name in ("weights", "best", "optimiser", "chance", "start")}
    file.write(parts, {**saved.facts, "seconds": 1000.0})
    _, outcome, batches = train_small(lent, epochs=100, seconds=900.0)
    assert (batches, outcome.epochs) == (0, 1)  # what was begun is validated, no batch is begun


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "LEAST_SHARE", 0)
    lent = dataclasses.replace(context(tmp_path), checkpoint=tmp_path)
    _, expected, batches = train_small(lent)
    file = tmp_path / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:-9])
    again = dataclasses.replace(context(tmp_path), checkpoint=tmp_path)
    assert train_small(again)[1:] == (expected, batches)
    assert "training begins anew" in caplog.text


def test_a_checkpoint_is_due_after_a_minute_or_twenty_times_what_it_costs(tmp_path: Path) -> None:
    def due(folder: Path | None, ago: float, cost: float) -> bool:
        kept = checkpoint.Checkpoint(folder)
        kept._written, kept._cost = kept._written - ago, cost
        return kept.due()

    assert not due(tmp_path, 58, 0) and due(tmp_path, 61, 0) and not due(None, 61, 0)
    assert not due(tmp_path, 190, 10) and due(tmp_path, 210, 10)
