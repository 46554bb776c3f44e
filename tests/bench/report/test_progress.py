import io

import pytest
from rich.console import Console

from bench.report.pace import Pace
from bench.report.progress import LiveDisplay, PlainDisplay, Quiet, display


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_time_left_follows_a_steady_pace_and_counts_down_between_reports():
    pace = Pace()
    for second in range(11):
        pace.advance(second * 10, 400, float(second))
    assert pace.seconds_left(10.0) == pytest.approx(30)
    assert pace.seconds_left(15.0) == pytest.approx(25)
    assert pace.share == 0.25


def test_a_slowdown_shows_gradually():
    pace = Pace()
    for second in range(11):
        pace.advance(second * 10, 1000, float(second))
    before = pace.seconds_left(10.0)
    pace.advance(101, 1000, 11.0)
    assert before < pace.seconds_left(11.0) < 899


def test_nothing_is_said_of_the_time_left_without_a_speed_or_when_done():
    pace = Pace()
    assert pace.seconds_left(0.0) is None
    pace.advance(0, 10, 0.0)
    assert pace.seconds_left(5.0) is None
    pace.advance(10, 10, 6.0)
    assert pace.seconds_left(6.0) is None


def test_another_stage_starts_the_pace_afresh():
    pace = Pace()
    pace.advance(0, 10, 0.0)
    pace.advance(9, 10, 1.0)
    pace.advance(0, 50, 2.0)
    assert pace.seconds_left(2.0) is None


def test_a_log_gets_a_line_at_most_every_five_seconds():
    clock, console = Clock(), Console(file=io.StringIO(), width=100)
    shown = PlainDisplay(console, clock)
    shown.begin("dvf on synthetic")
    shown.stage("train")
    for step in range(1, 121):
        clock.now = step / 10  # 12 seconds
        shown.progress(step, 120, "loss 5.31")
    shown.end("dvf on synthetic: recall@50 .412", failed=False)
    lines = console.file.getvalue().splitlines()
    assert lines[-1] == "done: dvf on synthetic: recall@50 .412 (12 s)"
    assert len(lines) == 3
    assert lines[0].startswith("dvf on synthetic: train · 42% · loss 5.31 · 7.0 s left")


def test_a_terminal_shows_stages_with_their_time_and_leaves_a_line_a_run():
    clock, console = Clock(), Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with LiveDisplay(console, clock) as shown:
        shown.begin("dvf on synthetic (1 of 2)")
        shown.stage("train")
        for second in range(1, 5):
            clock.now = float(second)
            shown.progress(second, 8, "epoch [3]")
        shown.stage("index")
        page = Console(file=io.StringIO(), width=100)
        page.print(shown._render())
        shown.end("dvf on synthetic: recall@50 .412 [x]", failed=False)
    text = page.file.getvalue()
    assert "✓ train" in text
    assert "4.0 s epoch [3]" in text
    assert "index" in text
    assert "✓ dvf on synthetic: recall@50 .412 [x] (4.0 s)" in console.file.getvalue()


def test_of_several_runs_it_is_said_how_many_are_done_and_the_time_left_counts_down():
    clock, console = Clock(), Console(file=io.StringIO(), width=100)
    plain = PlainDisplay(console, clock)
    plain.whole(0, 1, None)  # a single run
    plain.whole(0, 3, None)
    plain.whole(1, 3, 75.0)
    assert console.file.getvalue().splitlines() == [
        "0 of 3 runs done · time left not known before the first ends",
        "1 of 3 runs done · about 1 min 15 s left",
    ]
    shown = LiveDisplay(Console(file=io.StringIO(), width=100, force_terminal=True), clock)
    shown.whole(1, 3, 75.0)
    shown.begin("dvf on synthetic (2 of 3)")
    clock.now = 25.0
    page = Console(file=io.StringIO(), width=100)
    page.print(shown._render())
    assert "1 of 3 runs done · about 50 s left" in page.file.getvalue()


def test_the_display_suits_the_console():
    assert isinstance(display(Console(file=io.StringIO()), quiet=False), PlainDisplay)
    assert isinstance(display(Console(file=io.StringIO(), force_terminal=True), quiet=False), LiveDisplay)
    assert type(display(Console(file=io.StringIO()), quiet=True)) is Quiet
