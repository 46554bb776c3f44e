"""Plans of real suites of a method whose time and memory are known."""

import math

import pytest

from bench.forecast.cost import Span
from bench.forecast.forecast import STORED, Forecast, forecast
from bench.report.progress import Quiet
from bench.run.lifecycle import run
from bench.suites import load_suite

RUNS = """
seeds = [0, 1]
[[methods]]
name = "mine.py:Slow"
set = { work = 2.0, megabytes = 200.0 }
grid = { width = [1, 2] }
"""


def planned(place, text, pilot_seconds=20.0):
    return forecast(load_suite(place.suite(text)), place.home, Quiet(), pilot_seconds)


def test_pilots_foretell_the_runs_and_leave_nothing_behind(place):
    found = planned(place, RUNS)
    first = found.lines[0]
    assert first.source == "pilots 20%, 40%"
    assert not list(place.home.results.glob("**/result.json"))
    assert not list((place.home.cache / "scratch").iterdir()) and not (place.home.cache / "artifacts").exists()
    assert [line.free for line in found.lines] == [
        (),
        ("train", "index", "oracle"),
    ] * 2  # two widths of a query, another seed
    assert ["train" in line.cost.seconds for line in found.lines] == [True, False] * 2
    assert first.known == found.lines[2].known
    assert found.seconds.value == pytest.approx(sum(line.cost.total_seconds.value for line in found.lines))

    record = run(first.plan, place.home, Quiet())
    train = record["phases"]["train"]
    assert first.cost.seconds["train"].value == pytest.approx(train["seconds"], rel=0.5)  # it sleeps; others may not
    assert first.cost.peak_memory.value == pytest.approx(train["peak_rss_bytes"], rel=0.15)
    kept = sum(phase["artifact_bytes"] or 0 for phase in record["phases"].values())
    assert found.artifact_bytes.value == pytest.approx(2 * kept, rel=0.15)  # of two seeds

    lines = planned(place, RUNS, pilot_seconds=0.0).lines
    assert [line.source for line in lines] == [STORED, *["equal run"] * 3]
    assert lines[1].free == ("train", "index")  # in the cache; it has no scorer, so no oracle's answers lie there
    assert lines[2].cost.seconds["train"].value == train["seconds"]
    other = planned(place, RUNS.replace("2.0", "0.5"), pilot_seconds=0.0).lines
    assert [line.source for line in other] == ["other settings"] * 4


def test_a_method_that_fails_is_said_and_not_counted(place):
    lines = planned(place, '[[methods]]\nname = "mine.py:Slow"\nset = { fails = true }').lines
    assert "status failed: ValueError: seven is no prime here" in lines[0].source
    assert lines[0].known is None and Forecast("", lines).seconds == Span(0, 0, 0)


def tell(place):
    """The method trains for the seconds that it is told."""
    source = (place.folder / "mine.py").read_text(encoding="utf-8")
    told = 'seconds: float = param(600.0, phase="train", help="of training", low=0.0)\n    width'
    source = source.replace("width", told, 1).replace("time.sleep(self.work * share)", "time.sleep(self.seconds)")
    (place.folder / "mine.py").write_text(source, encoding="utf-8")


def test_a_training_that_is_told_how_long_to_take_takes_so_long_where_a_pilot_was_cut(place):
    tell(place)
    text = '[[methods]]\nname = "mine.py:Slow"\nset = { seconds = 50.0 }'
    (line,) = planned(place, text, pilot_seconds=6.0).lines
    train = line.cost.seconds["train"]
    assert train.value == train.high == 50.0 and 1.5 < train.low < 3.0  # longer than a pilot, no longer than told


def test_a_pilot_that_does_not_end_tells_the_least(place):
    text = '[[methods]]\nname = "mine.py:Slow"\nset = { work = 900.0 }'
    (line,) = planned(place, text, pilot_seconds=3.0).lines
    assert line.source == "pilot 20%: train unended"
    assert line.cost.seconds == {"train": Span(3.0, 3.0, math.inf)}


def test_without_pilots_and_earlier_runs_nothing_is_claimed(place):
    found = planned(place, RUNS, pilot_seconds=0.0)
    assert {line.source for line in found.lines} == {"no earlier run, and no pilots"}
    assert found.seconds == Span(0, 0, 0)


def test_a_search_takes_no_more_than_its_budget(place):
    text = "[search]\ntrials = 8\nseconds = {}\n[[methods]]\nname = 'mine.py:Slow'\nset = {{ work = 1.0 }}\n"
    text += "range = {{ work = [0.5, 1.0, 1.5], megabytes = {{ low = 1.0, high = 9.0 }} }}"
    run(load_suite(place.suite(text.format(100))).searches[0].plan, place.home, Quiet())
    (long,) = planned(place, text.format(1000), pilot_seconds=0.0).lines
    (short,) = planned(place, text.format(3), pilot_seconds=0.0).lines
    assert (long.times, short.times) == (7, 7)  # one is stored
    work = sum(one.value for part, one in short.cost.seconds.items() if part != "rest")
    assert work == pytest.approx(3.0)
    assert sum(one.value for part, one in long.cost.seconds.items() if part != "rest") > 7 * 0.9


def test_a_halved_search_trains_as_its_rungs_say(place):
    tell(place)
    text = "[search]\ntrials = 4\nseconds = 100\nhalving = 2\n[[methods]]\nname = 'mine.py:Slow'\n"
    text += "set = { seconds = 1.0 }\nrange = { megabytes = { low = 1.0, high = 9.0 } }"
    run(load_suite(place.suite(text)).searches[0].plan, place.home, Quiet())
    (line,) = planned(place, text, pilot_seconds=0.0).lines
    assert line.times == 7 and line.cost.seconds["train"].value == pytest.approx(4 * 0.25 + 2 * 0.5 + 1.0)
