"""Successive halving of a made-up method whose best setting is known: accuracy rises with training towards a height
that its setting decides, and test values say the opposite."""

import dataclasses

import pytest

from bench.halving import TRAINING, halve, planned, rungs
from bench.run.plan import Plan
from bench.tuning import Range, Search, tune

BEST = 0.3


def search(trials=9, seconds=900.0, halving=3, training=600.0, method="m", **changes):
    ranges = {"rate": Range(low=0.0, high=1.0)}
    return dataclasses.replace(
        Search(Plan(method=method), ranges, trials, seconds, halving=halving, training=training), **changes
    )


class Forbidden(dict):
    """The test part: whoever reads it has chosen by it."""

    def __getitem__(self, name):
        raise AssertionError(f"a search read {name} of the test part")

    get = __getitem__


class Lab:
    """Carries trials out; what was finished is answered again as it was, as from a store."""

    def __init__(self, overhead=2.0, fails=lambda rate: False, stop_after=10**9):
        self.store, self.asked, self.new = {}, [], 0
        self.overhead, self.fails, self.stop_after = overhead, fails, stop_after

    def __call__(self, plan, position):
        rate, seconds = plan.settings.get("rate", 0.9), plan.settings["seconds"]
        self.asked.append((rate, seconds, plan.limits.seconds))
        key = (rate, seconds)
        if key not in self.store:
            if self.new >= self.stop_after:
                raise KeyboardInterrupt
            self.new += 1
            self.store[key] = self._record(rate, seconds)
        return self.store[key]

    def _record(self, rate, seconds):
        height = 1 - abs(rate - BEST)
        status = "failed" if self.fails(rate) else "ok"
        return {
            "status": status,
            "validation": {"recall@50": {"value": height * (1 - 2.0 ** (-seconds / 30))}},
            "metrics": Forbidden(),
            "phases": {
                "train": {"seconds": seconds, "cached": False},
                "query": {"seconds": self.overhead, "cached": False},
            },
            "method": {"name": "m", "params": {"rate": rate, "seconds": seconds}},
        }


def test_rungs_by_hand():
    found = rungs(search(), 9)  # 9/9 + 3/3 + 1 = 3 trainings in full; 720 of 900 s for them
    assert [(rung.trials, rung.seconds) for rung in found] == [(9, 26.67), (3, 80.0), (1, 240.0)]
    assert planned(search()) == 13
    assert [rung.trials for rung in rungs(search(trials=10, halving=2), 10)] == [10, 5, 2, 1]
    assert rungs(search(training=90.0), 9)[-1].seconds == 90.0  # no more than the method's own setting


def test_the_best_setting_wins_and_its_training_is_the_longest():
    lab = Lab()
    outcome = halve(search(trials=27), lab)
    drawn = {plan.settings.get("rate", 0.9) for plan in search(trials=27).plans()}
    assert outcome.chosen["method"]["params"]["rate"] == min(drawn, key=lambda rate: abs(rate - BEST))
    assert outcome.chosen["method"]["params"]["seconds"] == max(seconds for _, seconds, _ in lab.asked)


def test_it_finds_a_better_one_than_full_trainings_of_the_same_seconds():
    lab = Lab()
    halved = halve(search(trials=27, seconds=600.0), lab)
    full = [halved.chosen["method"]["params"]["seconds"]]

    def carry_out(plan, position):
        return lab(dataclasses.replace(plan, settings={**plan.settings, "seconds": full[0]}), position)

    plain = tune(search(trials=27, seconds=600.0, halving=0), carry_out)
    assert len(plain.records) < 9
    assert abs(halved.chosen["method"]["params"]["rate"] - BEST) < abs(plain.chosen["method"]["params"]["rate"] - BEST)


def test_every_method_has_the_same_budget_and_keeps_it():
    budgets = set()
    for method, overhead in (("m", 0.5), ("other", 1.5)):
        lab = Lab(overhead=overhead)
        outcome = halve(search(method=method), lab)
        trained = sum(seconds for _, seconds, _ in lab.asked)
        assert trained <= TRAINING * 900.0 * 1.001  # seconds are rounded to four digits
        assert outcome.seconds == pytest.approx(trained + 13 * overhead) and outcome.seconds <= 900.0
        budgets.add((len(outcome.records), round(trained, 6)))
    assert len(budgets) == 1


def test_a_trial_may_take_no_more_than_what_is_left_and_a_spent_budget_ends_the_search():
    lab = Lab(overhead=60.0)
    outcome = halve(search(), lab)
    assert len(outcome.records) < 13
    assert outcome.seconds - 60.0 - 240.0 < 900.0
    assert [limit for _, _, limit in lab.asked] == sorted((limit for _, _, limit in lab.asked), reverse=True)
    assert outcome.chosen is not None


def test_an_interrupted_search_makes_the_same_decisions():
    whole = Lab()
    expected = halve(search(), whole)
    for stop in range(13):
        lab = Lab(stop_after=stop)
        with pytest.raises(KeyboardInterrupt):
            halve(search(), lab)
        lab.stop_after, lab.asked = 10**9, []
        again = halve(search(), lab)
        assert lab.asked == whole.asked and lab.new == 13
        assert again.chosen["method"] == expected.chosen["method"] and again.seconds == expected.seconds


def test_a_short_training_never_beats_a_long_one_and_failures_go_no_further():
    lab = Lab(fails=lambda rate: abs(rate - BEST) < 0.2)
    ticks = iter(range(0, 10**6, 3))
    outcome = halve(search(), lab, clock=lambda: float(next(ticks)))
    last = max(seconds for _, seconds, _ in lab.asked)
    assert outcome.chosen["method"]["params"]["seconds"] == last
    assert abs(outcome.chosen["method"]["params"]["rate"] - BEST) >= 0.2
    failed = [rate for rate, _, _ in lab.asked if abs(rate - BEST) < 0.2]
    assert failed and len(failed) == len(set(failed))


def test_all_failing_leaves_none_to_choose():
    outcome = halve(search(), Lab(fails=lambda rate: True), clock=lambda: 0.0)
    assert outcome.chosen is None and len(outcome.records) == 9
    assert "9 failed; none to choose" in str(outcome)


def test_an_outcome_says_how_the_budget_was_shared_out():
    said = str(halve(search(trials=3), Lab()))
    assert "m: 4 of 4 trials (training: 3 of 2 min 00 s, 1 of 6 min 00 s) in 7" in said
