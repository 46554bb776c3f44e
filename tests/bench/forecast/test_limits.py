"""Which limits a forecast says it would hit."""

import math

from bench.forecast.cost import Cost, Span
from bench.forecast.forecast import Forecast, Line
from bench.forecast.limits import hits
from bench.run.plan import Home, Limits, Plan

HUGE = 10**16


def said(tmp_path, limits=None, **cost):
    line = Line(Plan(method="m", settings={"a": 1}, limits=limits or Limits()), "pilots", Cost(**cost))
    return hits(Forecast("", [line]), Home(tmp_path / "not" / "there", tmp_path / "cache"))


def test_nothing_is_said_of_a_run_that_fits(tmp_path):
    small = Span(1.0, 1.0, 2.0)
    limits = Limits(10.0, 10)
    assert said(tmp_path, limits, seconds={"train": small}, memory={"train": small}, disk={"results": small}) == []


def test_each_phase_against_the_timeout(tmp_path):
    seconds = {"train": Span(20, 15, 30), "index": Span(8, 5, 12), "rest": Span(99, 99, 99)}
    assert said(tmp_path, Limits(seconds=10.0), seconds=seconds) == [
        "m a=1: train would pass 10 s, the suite's timeout",
        "m a=1: index may pass 10 s, the suite's timeout",
    ]


def test_memory_against_the_suite_and_the_machine(tmp_path):
    memory = {"train": Span(3e6, 2e6, 4e6), "index": Span(1e6, 1e6, 1e6)}
    assert said(tmp_path, Limits(memory_bytes=2_500_000), memory=memory) == [
        "m a=1: its 3.0 MB would pass 2.5 MB, the suite's memory_gb"
    ]
    (machine,) = said(tmp_path, memory={"train": Span(HUGE, HUGE, HUGE)})
    assert "of memory that are free" in machine


def test_one_disk_holds_artifacts_and_results_together(tmp_path):
    half = Span(HUGE / 2, 0, HUGE)
    (disk,) = said(tmp_path, disk={"train": half, "results": half})
    assert disk.startswith("disk: the 10000 TB to be written would pass the ")
    (unknown,) = said(tmp_path, disk={"train": Span(1, 1, math.inf)})
    assert "may pass" in unknown
