"""A sweep with a budget, on a clock of its own; runs take what they are told."""

import dataclasses

import pytest

from bench.commands.sweeping import Sweeping
from bench.forecast.cost import Cost, Span
from bench.forecast.earlier import Earlier, Known
from bench.forecast.remaining import Remaining
from bench.report.progress import Quiet
from bench.run.plan import Home, Plan
from bench.suites import Asked, Entry, Suite
from bench.tuning import Range, Search

SECONDS = 10.0


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Told(Quiet):
    """Remembers how far it was said to be."""

    def __init__(self):
        self.said = []

    def whole(self, done, total, left):
        self.said.append((done, total, left))


class Runs:
    """A series whose runs take SECONDS, or what their setting says, and are stored."""

    def __init__(self, home, clock):
        self.home, self.clock, self.display = home, clock, Told()
        self.store, self.new = {}, 0

    def carry_out(self, plan, position=""):
        key = plan.name
        if key not in self.store:
            self.new += 1
            self.clock.now += plan.settings.get("half_life", SECONDS)
            self.store[key] = {
                "run_id": f"{len(self.store)}/x",
                "status": "ok",
                "validation": {"recall@50": {"value": 0.1}},
                "phases": {"train": {"seconds": SECONDS, "cached": False}},
                "method": {"name": plan.method, "params": dict(plan.settings)},
            }
        return self.store[key]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """sweep(plans, searches, budget, runs=earlier ones): a Sweeping whose runs a fake store has or not."""
    clock = Clock()

    def make(plans=(), searches=(), budget=float("inf"), runs=None, known=None):
        runs = runs or Runs(Home(tmp_path / "results", tmp_path / "cache"), clock)

        def there(self, plan):
            return plan.name in runs.store

        def of(self, plan):
            seconds = (known or {}).get(plan.settings.get("half_life"))
            return None if seconds is None else Known(Cost({"query": Span(seconds, seconds, seconds)}), "made up")

        monkeypatch.setattr(Remaining, "is_stored", there)
        monkeypatch.setattr(Earlier, "of", of)
        monkeypatch.setattr(Sweeping, "_is_stored", lambda self, plan: there(None, plan))
        suite = Suite("", tuple(Entry(plan, "", Asked(plan, ""), 1) for plan in plans), tuple(searches))
        runs.display = Told()
        return Sweeping(suite, runs, budget, clock), runs

    return make


PLANS = [Plan(method="popularity", seed=at) for at in range(5)]
SEARCH = Search(Plan(method="item_cf"), {"neighbours": Range(values=tuple(range(1, 99)))}, 4, 1000.0)


def test_without_a_budget_all_is_run_and_the_time_left_follows(sweep):
    going, runs = sweep(PLANS)
    assert len(going.runs()) == 5 and going.left_out == []
    assert runs.display.said == [(0, 5, None), *((done, 5, SECONDS * (5 - done)) for done in range(1, 5))]


def test_when_the_budget_is_spent_nothing_new_begins_and_the_same_sweep_goes_on(sweep):
    going, runs = sweep(PLANS, budget=25.0)
    assert len(going.runs()) == 3  # the third began in time
    assert going.left_out == ["popularity seed=3", "popularity seed=4"]
    assert going.summary() == (
        "the budget of 25 s ends here: 30 s spent, 3 done, 2 left (popularity seed=3, popularity seed=4). The same "
        "command goes on from here."
    )
    again, _ = sweep(PLANS, budget=15.0, runs=runs)
    assert len(again.runs()) == 5 and runs.new == 5 and again.left_out == []


def test_what_is_stored_is_shown_even_when_no_time_is_left(sweep):
    _, runs = sweep(PLANS)
    runs.carry_out(PLANS[2])
    going, _ = sweep(PLANS, budget=0.0, runs=runs)
    assert going.runs() == [runs.store["popularity seed=2"]]
    assert runs.new == 1 and going.left_out == ["popularity", *(f"popularity seed={seed}" for seed in (1, 3, 4))]


def test_a_run_that_would_not_be_done_in_time_is_left_out_and_a_shorter_one_begins(sweep):
    plans = [Plan(method="popularity", settings={"half_life": seconds}) for seconds in (10.0, 60.0, 15.0)]
    going, runs = sweep(plans, budget=40.0, known={seconds: seconds for seconds in (10.0, 60.0, 15.0)})
    going.runs()
    assert going.left_out == ["popularity half_life=60.0"] and runs.new == 2 and going.spent == 25.0


def test_a_search_that_the_budget_ends_chooses_nothing_until_it_is_whole(sweep):
    going, runs = sweep([], [SEARCH], budget=25.0)
    assert going.searches(runs) == [] and going.left_out == ["the search of item_cf"] and runs.new == 3
    again, _ = sweep([], [SEARCH], budget=25.0, runs=runs)
    (outcome,) = again.searches(runs)
    assert len(outcome.records) == 4 and runs.new == 4 and again.left_out == []


def test_trials_count_as_runs_and_a_halved_search_by_its_rungs(sweep):
    going, runs = sweep(PLANS[:1], [SEARCH])
    going.runs()
    going.searches(runs)
    assert [(done, total) for done, total, _ in runs.display.said] == [(done, 5) for done in range(5)]
    halved = dataclasses.replace(
        SEARCH, halving=2, training=100.0, plan=Plan(method="two_tower"), ranges={"dim": SEARCH.ranges["neighbours"]}
    )
    going, runs = sweep([], [halved])
    (outcome,) = going.searches(runs)
    assert [total for _, total, _ in runs.display.said] == [7] * 7 and outcome.planned == 7
