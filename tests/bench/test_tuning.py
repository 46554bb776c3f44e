import itertools
from collections import Counter

import numpy as np
import pytest

from bench.errors import ParameterError, UnknownName, UsageError
from bench.params import Declaration, Parameter
from bench.run.plan import Limits, Plan
from bench.tuning import Range, Search, choose, declared_range, given_range, tune


def parameter(kind, default, **declared):
    return Parameter("p", kind, default, Declaration("train", "help", **declared))


def finished(value, seconds=10.0, **params):
    return {
        "status": "ok",
        "validation": {"recall@50": {"value": value}},
        "phases": {"train": {"seconds": seconds, "cached": False}, "index": {"seconds": 5.0, "cached": True}},
        "method": {"name": "m", "params": params},
    }


def search(trials=5, seconds=100.0, **ranges):
    return Search(Plan(method="m"), ranges or {"lr": Range(low=1e-4, high=1e-1, log=True)}, trials, seconds)


def test_a_sweep_declares_the_range():
    assert declared_range(parameter(int, 64, sweep=(32, 64, 128), low=1, high=4096)) == Range(values=(32, 64, 128))
    assert declared_range(parameter(float, 0.1, sweep=(0.0, 0.2, 0.5))) == Range(low=0.0, high=0.5)
    assert declared_range(parameter(float, 1.0, sweep=(100, 5000))) == Range(low=100, high=5000, log=True)
    assert declared_range(parameter(int, 5, low=1, high=10)) is None


def test_draws_stay_in_range_and_are_even_on_their_scale():
    rng = np.random.default_rng(0)
    logs = [Range(low=1e-4, high=1e-0, log=True).draw(rng) for _ in range(2000)]
    assert 1e-4 <= min(logs) < max(logs) <= 1
    assert 0.45 < np.mean(np.array(logs) < 1e-2) < 0.55
    wholes = Counter(Range(low=1, high=4, whole=True).draw(rng) for _ in range(2000))
    assert set(wholes) == {1, 2, 3, 4}
    assert min(wholes.values()) > 400
    assert {Range(values=("a", "b")).draw(rng) for _ in range(50)} == {"a", "b"}


def test_a_suite_may_give_another_range_and_wrong_ones_are_refused():
    lr = parameter(float, 1e-3, low=1e-6, high=1.0, log=True)
    assert given_range(lr, {"low": 1e-4, "high": 1e-2}) == Range(low=1e-4, high=1e-2, log=True)
    assert given_range(lr, [0.1, 0.2]) == Range(values=(0.1, 0.2))
    with pytest.raises(ParameterError):
        given_range(lr, [2.0])
    for wrong in ({"low": 0.1}, {"low": 0.2, "high": 0.1}, 3, []):
        with pytest.raises(UsageError):
            given_range(lr, wrong)
    with pytest.raises(UnknownName, match="'high'"):
        given_range(lr, {"low": 0.1, "hihg": 0.2})


def test_trials_begin_with_the_defaults_never_repeat_and_depend_on_seed_and_method_alone():
    plans = list(search(trials=8).plans())
    assert plans[0].settings == {}
    assert len(plans) == 8
    assert len({str(plan.settings) for plan in plans}) == 8
    assert plans == list(search(trials=8).plans())
    assert plans[:4] == list(search(trials=4).plans())
    other = Search(Plan(method="n"), search().ranges, 8, 100.0)
    assert [plan.settings for plan in other.plans()][1:] != [plan.settings for plan in plans][1:]


def test_a_small_space_ends_a_search_early_and_without_ranges_there_is_one_trial():
    assert len(list(search(trials=50, ef=Range(values=(1, 2, 3))).plans())) == 4
    assert len(list(Search(Plan(method="m"), {}, 50, 100.0).plans())) == 1


def test_the_validation_part_chooses_the_earliest_of_equals():
    rows = [finished(0.2, a=1), {"status": "failed"}, finished(0.3, a=2), finished(0.3, a=3)]
    assert choose(rows, "recall@50") is rows[2]
    assert choose([{"status": "failed"}], "recall@50") is None
    with pytest.raises(UnknownName, match=r"recall@50"):
        choose(rows, "recal@50")


def test_the_seconds_of_all_trials_together_are_the_budget_and_what_a_cache_gave_is_free():
    limits = []

    def carry_out(plan, position):
        limits.append(plan.limits.seconds)
        return finished(0.1, seconds=30.0)

    outcome = tune(search(trials=20, seconds=100.0), carry_out)
    assert len(outcome.records) == 4
    assert limits == [100.0, 70.0, 40.0, 10.0]
    assert outcome.seconds == 120.0


def test_a_shorter_limit_of_the_suite_stays_and_failures_spend_the_time_they_took():
    ticks = itertools.count(step=40)
    plan = Plan(method="m", limits=Limits(seconds=50.0))
    seen = []

    def carry_out(plan, position):
        seen.append((plan.limits.seconds, position))
        return {"status": "timeout", "phases": {}}

    outcome = tune(Search(plan, search().ranges, 9, 100.0), carry_out, clock=lambda: float(next(ticks)))
    assert seen == [(50.0, "(trial 1 of 9)"), (50.0, "(trial 2 of 9)"), (20.0, "(trial 3 of 9)")]
    assert outcome.chosen is None
    assert "3 failed; none to choose" in str(outcome)


def test_an_outcome_says_what_was_chosen():
    outcome = tune(search(trials=2), lambda plan, position: finished(0.25, lr=0.01, dim=3))
    assert str(outcome) == "m: 2 of 2 trials in 20 of 100 s; validation recall@50 0.2500 chose lr=0.01"
    assert Search(Plan(method="m.py:M", settings={"scorer": "inner"}), {}, 1, 1.0).name == "m.py:M scorer=inner"
