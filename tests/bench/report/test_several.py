"""Several runs at once, as a person sees them."""

import io

import pytest
from rich.console import Console

from bench.report.several import Doing, Gathering, Several, gathering, table

GOING = (
    Doing("dvf on synthetic (5 of 12)", "node-b", "train", 0.4),
    Doing("ease on synthetic (6 of 12)", "node-a", "index"),
)


def test_time_left_follows_the_runs_that_were_carried_out_and_not_those_from_the_store():
    assert Several("runs", 12, done=4, worked=0, seconds=30.0).seconds_left is None
    assert Several("runs", 12, done=6, worked=2, seconds=30.0).seconds_left == pytest.approx(90.0)
    assert Several("runs", 12, done=12, worked=2, seconds=30.0).seconds_left == 0


def test_a_line_says_how_far_all_are_what_runs_where_and_the_time_left():
    said = str(Several("12 runs", 12, 4, 4, 60.0, GOING))
    assert said == (
        "12 runs: 4 of 12 done · 2 running (dvf on synthetic (5 of 12): train 40% on node-b, "
        "ease on synthetic (6 of 12): index on node-a) · about 2 min 00 s left"
    )
    assert str(Several("12 runs", 12)) == "12 runs: 0 of 12 done · waiting for a node"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_log_gets_every_end_and_a_line_now_and_then():
    clock, console = Clock(), Console(file=io.StringIO(), width=200)
    with Gathering(console, clock) as shown:
        for tenth in range(120):
            clock.now = tenth / 10
            shown.show(Several("2 runs", 2, seconds=clock.now, going=GOING))
        shown.ended("dvf: recall@50 .4 (12 s, node-b)", failed=False)
        shown.ended("ease failed: no memory (1 s, node-a)", failed=True)
    lines = console.file.getvalue().splitlines()
    assert sum("of 2 done" in line for line in lines) == 2
    assert lines[-2:] == ["done: dvf: recall@50 .4 (12 s, node-b)", "ease failed: no memory (1 s, node-a)"]


def test_a_terminal_shows_a_row_for_each_run_and_counts_the_rest():
    console = Console(file=io.StringIO(), width=120)
    console.print(table(Several("40 runs", 40, 4, 4, 60.0, GOING * 8), "*"))
    said = console.file.getvalue()
    assert "4 of 40 · 1 min 00 s · about 9 min 00 s left" in said
    assert said.count("node-b") == 6
    assert "and 4 more" in said


def test_quiet_says_nothing(capsys):
    with gathering(Console(), quiet=True) as shown:
        shown.log("anything")
        shown.show(Several("runs", 2))
        shown.ended("done", failed=False)
    assert capsys.readouterr() == ("", "")
