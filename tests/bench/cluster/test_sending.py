"""What is sent when, and what is made of what comes back; Ray itself is played."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench.cluster import sending
from bench.cluster.demand import Node, demand
from bench.cluster.node import Errand, News, Return
from bench.cluster.order import Order
from bench.cluster.sending import Sending
from bench.errors import ClusterError, StoreError
from bench.report.several import Gathering
from bench.run.plan import Home, Limits, Plan

GIB = 2**30


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class PlayedRay:
    """Answers a task of errand n by what `comes[n]` has next; news are those of the errands that were sent."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, comes):
        self.comes = {number: list(one) for number, one in enumerate(comes)}
        self.sent, self.options_of, self.cancelled, self.news = [], [], [], []

    def remote(self, *given, **_):
        if not given:  # the mailbox
            return lambda _: SimpleNamespace(
                remote=lambda: SimpleNamespace(fetch=SimpleNamespace(remote=lambda: "news"))
            )

        def options(**said):
            self.options_of.append(said)
            return SimpleNamespace(remote=self.send)

        return SimpleNamespace(options=options)

    def send(self, errand, _):
        self.sent.append(errand.number)
        return (len(self.sent), errand.number)

    def wait(self, sent, num_returns, timeout):
        return [one for one in sent if self.comes[one[1]]], []

    def get(self, sent, timeout=None):
        if sent == "news":
            news, self.news = self.news, []
            return news
        answer = self.comes[sent[1]].pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def cancel(self, sent):
        self.cancelled.append(sent[1])

    def kill(self, _):
        pass


def back(status="ok"):
    record = {
        "status": status,
        "run_id": "a/b",
        "metrics": {"recall@10": {"value": 0.5}},
        "phases": {},
        "error": "no memory",
    }
    return Return(record, "node-a", 12.0, worked=True)


def send(comes, tmp_path, plan=None):
    plan = plan or Plan("null", ks=(10,), timing="none", threads=2)
    home = Home(tmp_path, tmp_path)
    errands = [
        Errand(number, plan, demand(plan, [Node(8, 16 * GIB)]), home, tmp_path, "") for number in range(len(comes))
    ]
    ray, console = PlayedRay(comes), Console(file=io.StringIO(), width=300)
    going = Sending(ray, errands, Order([{} for _ in errands]), Gathering(console), "metrics")
    return ray, going, console.file


def test_records_come_in_the_order_of_the_errands_and_failures_are_rows(tmp_path):
    ray, going, said = send([[back()], [back("memory")], [back()]], tmp_path)
    assert [record["status"] for record in going.records("3 runs")] == ["ok", "memory", "ok"]
    assert ray.sent == [0, 1, 2]
    assert "done: null on synthetic (1 of 3): recall@10 .500 (12 s, node-a)" in said.getvalue()


def test_every_run_declares_what_it_takes_and_ray_begins_none_again_by_itself(tmp_path):
    plan = Plan("null", timing="none", threads=2, limits=Limits(memory_bytes=GIB))
    ray, going, _ = send([[back()]], tmp_path, plan)
    going.records("a run")
    assert ray.options_of == [
        {"name": "null on synthetic", "num_cpus": 2, "num_gpus": 0, "memory": GIB, "max_retries": 0}
    ]


def test_a_lost_run_is_begun_again_and_at_the_third_loss_it_has_failed(tmp_path):
    lost = RayError("The worker died. Its log says more.\nIndeed")
    ray, going, said = send([[lost, back()], [lost] * sending.TRIES, [back()]], tmp_path)
    records = going.records("3 runs")
    assert [record["status"] for record in records] == ["ok", "failed", "ok"]
    assert "lost 3 times, at last by RayError: The worker died" in records[1]["error"]
    assert sorted(ray.sent) == [0, 0, 1, 1, 1, 2]
    assert said.getvalue().count("begun again") == 3


def test_what_concerns_all_runs_ends_the_sweep_and_the_others_are_cancelled(tmp_path):
    for cause, kind in ((StoreError("full"), StoreError), (ValueError("a defect"), ClusterError)):
        ray, going, _ = send([[RayTaskError(cause)], [], []], tmp_path)
        with pytest.raises(kind, match=str(cause)):
            going.records("3 runs")
        assert ray.cancelled == [1, 2]


def test_after_an_interruption_all_that_goes_on_is_cancelled(tmp_path):
    ray, going, said = send([[KeyboardInterrupt()], []], tmp_path)
    with pytest.raises(KeyboardInterrupt):
        going.records("2 runs")
    assert ray.cancelled == [1]
    assert "what still goes on is ended (1)" in said.getvalue()


def test_news_show_what_goes_on_and_late_ones_change_nothing(tmp_path):
    ray, going, said = send([[back()], [back()]], tmp_path)
    ray.news = [(0, News("node-a", "query", line="null: answered from the store")), (1, News("node-b", "train", 0.5))]
    shown = []
    going._shown.show = shown.append
    going.records("2 runs")
    assert "answered from the store" in said.getvalue()
    assert shown[-1].done == 2
    assert shown[-1].going == ()


def test_nodes_are_those_that_are_alive():
    resources = {"CPU": 8.0, "memory": 16.0 * GIB, "GPU": 1.0}
    listed = [
        {"Alive": True, "Resources": resources},
        {"Alive": False, "Resources": {}},
        {"Alive": True, "Resources": {}},
    ]
    assert sending.nodes(SimpleNamespace(nodes=lambda: listed)) == [Node(8, 16 * GIB, 1), Node(0, 0)]
