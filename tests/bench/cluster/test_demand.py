"""What a run declares of a node."""

import pytest

from bench.cluster.demand import Demand, Node, demand, placed
from bench.errors import UsageError
from bench.run.plan import Limits, Plan

GIB = 2**30
SMALL, LARGE, GRAPHICS = Node(8, 30 * GIB), Node(64, 200 * GIB), Node(16, 60 * GIB, gpus=4)


def test_a_timed_run_takes_all_of_a_largest_node_whatever_its_threads():
    for threads in (0, 4):
        assert demand(Plan("dvf", threads=threads), [SMALL, LARGE]).cores == 64


def test_an_untimed_run_takes_its_threads_and_without_them_a_node():
    assert demand(Plan("dvf", timing="none", threads=4), [SMALL, LARGE]).cores == 4
    assert demand(Plan("dvf", timing="none"), [SMALL, LARGE]).cores == 64


def test_a_memory_limit_is_declared_up_to_what_a_node_has():
    def memory(limit):
        plan = Plan("dvf", timing="none", threads=4, limits=Limits(memory_bytes=limit))
        return demand(plan, [SMALL, LARGE]).memory_bytes

    assert memory(10 * GIB) == 10 * GIB
    assert memory(500 * GIB) == 200 * GIB
    assert memory(None) == 0


def test_a_graphics_run_takes_one_gpu_of_a_node_that_has_some():
    assert demand(Plan("dvf", device="cuda", timing="device"), [LARGE, GRAPHICS]) == Demand(16, 0, 1)
    assert demand(Plan("dvf", device="cuda", timing="none", threads=4), [LARGE, GRAPHICS]) == Demand(4, 0, 1)


def test_what_no_node_has_is_refused_and_not_waited_for():
    with pytest.raises(UsageError, match="no node of the cluster has a GPU"):
        demand(Plan("dvf", device="cuda", timing="none"), [SMALL, LARGE])
    with pytest.raises(UsageError, match="write cuda"):
        demand(Plan("dvf", device="cuda:1", timing="none"), [GRAPHICS])
    with pytest.raises(UsageError, match="a core for a run"):
        demand(Plan("dvf"), [Node(0, GIB)])


def test_all_cores_means_those_of_the_node_and_named_threads_stay():
    assert placed(Plan("dvf"), Demand(64)).threads == 64
    assert placed(Plan("dvf", threads=4), Demand(64)).threads == 4
