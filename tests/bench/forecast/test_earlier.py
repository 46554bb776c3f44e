"""What finished executions say of others: which of them speak, and what is left of a sweep."""

import dataclasses

import pytest

from bench.data.protocols import describe, parse
from bench.forecast.cost import Span
from bench.forecast.earlier import SAME, Earlier
from bench.forecast.remaining import Remaining
from bench.run.plan import Plan
from bench.store import results
from bench.store.results import Store
from bench.tuning import Search

CPU = "Some CPU"
PLAN = Plan(method="ease", protocol="next-item", threads=2, timing="none")


@pytest.fixture
def executed(tmp_path, made):
    """Stores an execution of EASE: executed(train seconds, wall seconds, seed=, regularisation=, **keys)."""
    store = Store(tmp_path / "results")

    def execute(train, wall, seed=0, regularisation=1000.0, **changes):
        record = made.finished("ease", 0.3, seed=seed, timing="none", wall_seconds=wall, live=None)
        record["method"]["params"] = {"regularisation": regularisation}
        record["task"]["protocol"] = describe(parse("next-item"))
        record["provenance"]["build"] = {"source": "x", "device": "cpu", "threads": 2}
        record["phases"]["train"]["seconds"] = train
        with store.execution(f"{seed:02d}{regularisation:.0f}".ljust(16, "0")) as folder:
            results.write(folder, record | changes)
        return store.find("latest")

    execute.store = store
    return execute


def earlier(executed):
    return Earlier(executed.store.root, executed.store.records(), cpu=CPU)


def test_runs_of_another_seed_speak_first_with_their_median(executed):
    for seed, train in enumerate((30.0, 40.0, 44.0)):
        executed(train, train + 20.0, seed=seed)
    executed(900.0, 920.0, seed=7, regularisation=9.0)
    known = earlier(executed).of(dataclasses.replace(PLAN, seed=5))
    assert known.source == "equal run"
    assert known.cost.seconds["train"] == Span(40.0, 30.0 / SAME, 44.0 * SAME)
    assert known.cost.seconds["rest"].value == pytest.approx(20.0 - 4.3 - 8.1)  # less the index and the query
    assert known.cost.memory["train"].value == 812_000_000
    assert known.cost.disk["train"].value == 5_000_000 and known.cost.disk["results"].value > 100


def test_else_runs_of_other_settings_with_a_wider_range(executed):
    executed(900.0, 920.0, regularisation=9.0)
    known = earlier(executed).of(PLAN)
    assert known.source == "other settings"
    assert known.cost.seconds["train"].high > 900.0 * SAME


def test_another_machine_task_or_way_of_timing_says_nothing(executed):
    executed(30.0, 50.0)
    assert earlier(executed).of(PLAN) is not None
    assert dataclasses.replace(earlier(executed), cpu="Another").of(PLAN) is None
    for change in ({"protocol": "user-holdout"}, {"threads": 1}, {"timing": "batch"}, {"method": "item_cf"}):
        assert earlier(executed).of(dataclasses.replace(PLAN, **change)) is None
    executed.store.folders()[-1].joinpath("result.json").unlink()
    executed(30.0, 50.0, status="failed")
    executed(30.0, None)
    assert earlier(executed).of(PLAN) is None


def test_what_is_left_follows_the_runs_that_end(executed):
    remaining = Remaining(earlier(executed))
    runs = [dataclasses.replace(PLAN, seed=seed) for seed in (0, 1, 2)]
    other = dataclasses.replace(PLAN, method="popularity")
    assert remaining.seconds_of_runs(runs) is None
    remaining = remaining.after(runs[0], executed(30.0, 50.0), 60.0)
    assert remaining.is_stored(runs[0]) and not remaining.is_stored(runs[1])
    assert remaining.seconds(runs[1]) == pytest.approx(50.0)  # another seed trains anew
    assert remaining.seconds_of_runs(runs[1:]) == pytest.approx(100.0)
    assert remaining.seconds_of_runs([*runs[1:], other]) == pytest.approx(160.0)  # unknown: the mean of this sweep
    assert remaining.seconds_of_runs([runs[1], runs[1]]) == pytest.approx(70.0)  # the second finds its training
    assert remaining.seconds_of_trials(Search(PLAN, {}, 9, 120.0), 2) == pytest.approx(100.0)
    assert remaining.seconds_of_trials(Search(PLAN, {}, 9, 120.0), 9) == 120.0


def test_a_run_that_the_store_had_says_nothing_of_the_pace(executed):
    record = executed(30.0, 50.0)
    remaining = Remaining(earlier(executed))
    assert remaining.after(PLAN, record, 0.01) is remaining
