"""Nothing that runs share is made twice, and nobody waits longer than that."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cluster.order import Order, makes
from bench.run.plan import Live, Plan
from bench.run.prepared import method_of

TASK = ("synthetic",)


def keeping(train, index):
    return {"prepare": TASK, "train": (*TASK, train), "index": (*TASK, train, index)}


@pytest.fixture(scope="module")
def dvf():
    return method_of(Plan("dvf"))


def test_the_first_prepares_and_the_others_begin_when_it_trains():
    order = Order([keeping("a", "x"), keeping("b", "x"), {"prepare": TASK}])
    assert order.begin() == [0]
    order.reached(0, "data")
    order.reached(0, "prepare")
    assert order.begin() == []
    order.reached(0, "train")
    assert order.begin() == [1, 2]


def test_runs_of_one_training_wait_for_it_and_not_for_the_run_that_makes_it():
    order = Order([keeping("a", "x"), keeping("a", "x"), keeping("a", "y")])
    order.begin()
    order.reached(0, "train")
    assert order.begin() == []
    order.reached(0, "index")
    assert order.begin() == [2], "another index of the same training"
    order.reached(0, "query")
    assert order.begin() == [1]


def test_after_a_failure_one_other_run_makes_what_is_owed():
    order = Order([keeping("a", "x")] * 3)
    order.begin()
    order.reached(0, "train")
    order.ended(0, well=False)
    assert order.begin() == [1]
    order.ended(1, well=True)
    assert order.begin() == [2]


def test_a_stage_of_no_matter_and_news_of_an_ended_run_change_nothing():
    order = Order([keeping("a", "x"), keeping("a", "x")])
    order.begin()
    order.reached(0, "warming up")
    assert order.begin() == []
    order.ended(0, well=True)
    order.reached(0, "train")
    assert order.begin() == [1]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), min_size=1, max_size=12), st.data())
def test_every_run_ends_and_no_two_make_the_same_at_a_time(asked, data):
    runs = [keeping(*one) for one in asked]
    order, stages = Order(runs), ["prepare", "train", "index", "query"]
    going, there, done = {}, set(), set()
    while len(done) < len(runs):
        going |= dict.fromkeys(order.begin(), 0)
        making = [runs[at][stages[stage]] for at, stage in going.items() if stage < 3]
        owed = [key for key in making if key not in there]
        assert len(owed) == len(set(owed))
        at = data.draw(st.sampled_from(sorted(going)))
        if data.draw(st.integers(0, 5)) == 0:
            del going[at]
            order.ended(at, well=False)
            done.add(at)
        elif going[at] == 3:
            del going[at]
            order.ended(at, well=True)
            done.add(at)
        else:
            there.add(runs[at][stages[going[at]]])
            going[at] += 1
            order.reached(at, stages[going[at]])


def test_a_query_parameter_shares_training_and_index_and_an_index_parameter_the_training(dvf):
    def made(plan):
        return makes(plan, dvf)

    plain = made(Plan("dvf"))
    assert made(Plan("dvf", settings={"ef": 77})) == plain
    assert made(Plan("dvf", ks=(5,), timing="none")) == plain
    other_index = made(Plan("dvf", settings={"links": 9}))
    assert other_index["train"] == plain["train"]
    assert other_index["index"] != plain["index"]
    live = made(Plan("dvf", live=Live()))
    assert live["train"] == plain["train"]
    assert live["index"] != plain["index"]
    for changed in (Plan("dvf", seed=1), Plan("dvf", settings={"dim": 8}), Plan("dvf", protocol="temporal")):
        assert made(changed)["train"] != plain["train"]


def test_a_method_that_keeps_nothing_shares_its_task_alone():
    assert set(makes(Plan("null"), method_of(Plan("null")))) == {"prepare"}


def test_a_method_that_holds_another_waits_for_its_training_and_makes_its_own_index(dvf):
    held = Plan("sharded:dvf", settings={"shards": 3})
    alone, around = makes(Plan("dvf"), dvf), makes(held, method_of(held))
    assert around["train"] == alone["train"]
    assert around["index"] != alone["index"]
