import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.lines import Line2D

from bench import params
from bench.catalog import method_class
from bench.data.protocols import describe, parse
from bench.data.task import Task
from bench.errors import UnknownName, UsageError
from bench.report import figure_drawing, figure_words
from bench.report.figure_curves import COLOURS, MARKERS
from bench.report.figure_frontier import beaten
from bench.report.figure_points import gather, measure, table
from bench.run.lifecycle import run
from bench.run.plan import Home
from bench.store.columns import read_answers
from bench.store.results import Store
from bench.suites import load_suite

SUITE = """
title = "Neighbours"
[figure]
kind = "curve"
x = "work.share"
y = ["oracle.coverage@50", ["oracle@50", "recall@50"]]
log = ["work.share"]
[[tasks]]
dataset = "synthetic"
title = "Shop"
protocol = "next-item"
[[tasks]]
dataset = "movielens-1m"
protocol = "user-holdout"
[[methods]]
name = "item_cf"
label = "few"
grid = { neighbours = [5, 10] }
[[methods]]
name = "item_cf"
label = "many"
tasks = ["synthetic"]
grid = { neighbours = [50, 100] }
"""
BARS = (
    SUITE.replace('kind = "curve"\nx = "work.share"', 'kind = "bars"')
    .replace('"oracle.coverage@50", ', '"index_loss@50", ')
    .replace('log = ["work.share"]\n', "")
)


def suite_of(folder, text):
    path = folder / "suite.toml"
    path.write_text(text, encoding="utf-8")
    return load_suite(path)


def record_of(plan, value, **further):
    interval = {"value": value, "low": value - 0.1, "high": value + 0.1}
    loss = {"value": value - 0.5, "low": value - 0.6, "high": value - 0.3}
    settings = params.resolve(method_class(plan.method), plan.settings)
    return {
        "status": "ok",
        "task": {
            "dataset": plan.dataset,
            "title": f"Title of {plan.dataset}",
            "protocol": describe(parse(plan.protocol)),
            "conventions": plan.conventions.as_dict(),
            "requests": 1000,
            "items": 2000,
        },
        "method": {"name": plan.method, "params": settings},
        "seed": plan.seed,
        "k": plan.k,
        "timing": plan.timing,
        "live": None,
        "metrics": {"recall@50": interval},
        "oracle": {"recall@50": interval, "coverage@50": interval, "index_loss@50": loss},
        "work": {"unit": "items scored", "mean": 10.0, "share": settings["neighbours"] / 1000},
        "latency_ms": {"p50": 2.5},
        "phases": {
            "train": {"seconds": 8.0, "peak_rss_bytes": 5},
            "index": {"seconds": 1.5, "peak_rss_bytes": 9},
            "query": {"seconds": 3.0, "peak_rss_bytes": 7},
        },
        "provenance": {"started": "2026-01-02T03:04:05+00:00", "commit": "abcdef0123", "build": {"threads": 2}},
        **further,
    }


def fill(root, records):
    for at, record in enumerate(records):
        folder = root / "runs" / f"{at:016x}" / f"20260102T0000{at:02}.0"
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps(record))
    return Store(root)


@pytest.fixture
def store(tmp_path):
    plans = suite_of(tmp_path, SUITE).plans
    records = [record_of(plan, 0.3 + at / 20) for at, plan in enumerate(plans)]
    return fill(tmp_path / "results", records)


def test_the_task_that_decides_what_is_new_is_one_of_the_suite(tmp_path):
    text = BARS.replace('[[tasks]]\ndataset = "synthetic"', 'new_in = "synthetc"\n[[tasks]]\ndataset = "synthetic"')
    with pytest.raises(UnknownName, match=r"suite\.toml.* Did you mean 'synthetic'"):
        suite_of(tmp_path, text)


def test_measurements_are_found_wherever_a_record_keeps_them(tmp_path):
    record = record_of(suite_of(tmp_path, SUITE).plans[0], 0.4)
    found = measure(record, "recall@50")
    assert (found.value, found.low, found.high) == (0.4, pytest.approx(0.3), 0.5)
    assert measure(record, "oracle@50").value == 0.4
    assert measure(record, "index_loss@50").value == pytest.approx(-0.1)
    assert measure(record, "oracle.coverage@50").value == 0.4
    assert measure(record, "params.neighbours").value == 5
    assert measure(record, "task.items").value == 2000
    assert measure(record, "latency_ms.p50").value == 2.5
    assert measure(record, "memory").value == 9
    assert measure(record, "seconds", ["train", "index", "update"]).value == 9.5
    assert measure(record, "seconds", ["update"]) is None
    assert measure(record, "recall@7") is None


def test_published_records_are_drawn_like_those_of_the_store(tmp_path, store):
    suite = suite_of(tmp_path, SUITE)
    (tmp_path / "public").mkdir()
    lines = "\n".join(map(json.dumps, store.records()))
    (tmp_path / "public" / "records.jsonl").write_text(lines + "\n", encoding="utf-8")
    published = gather(suite, Store(tmp_path / "public"), tmp_path)
    assert not published.missing
    assert table(published) == table(gather(suite, store, tmp_path))


def test_points_stand_in_facets_and_lines_of_the_suites_order(tmp_path, store):
    drawing = gather(suite_of(tmp_path, SUITE), store, tmp_path)
    assert [facet.title for facet in drawing.facets] == ["Shop", "Title of movielens-1m"]
    assert [(point.line, point.x) for point in drawing.facets[0].points] == [
        ("few", 0.005), ("few", 0.01), ("many", 0.05), ("many", 0.1),
    ]  # fmt: skip
    assert [point.line for point in drawing.facets[1].points] == ["few", "few"]
    assert drawing.lines == ["few", "many"]
    assert (drawing.runs, drawing.missing, drawing.failed) == (6, (), ())


def test_lines_may_be_told_apart_by_parameters(tmp_path, store):
    text = SUITE.replace("[[tasks]]", 'line = ["method", "params.neighbours"]\n[[tasks]]', 1)
    drawing = gather(suite_of(tmp_path, text), store, tmp_path)
    assert drawing.lines[:2] == ["item_cf, neighbours 5", "item_cf, neighbours 10"]


def test_what_is_missing_and_what_failed_is_said(tmp_path):
    suite = suite_of(tmp_path, SUITE)
    plans = suite.plans
    records = [
        record_of(plans[0], 0.3),
        record_of(plans[0], 0.4),  # a newer execution
        record_of(plans[0], 0.5, status="failed"),  # a newer one that failed does not count
        record_of(plans[1], 0.5, status="timeout"),
    ]
    drawing = gather(suite, fill(tmp_path / "results", records), tmp_path)
    (point,) = drawing.facets[0].points
    assert point.values["recall@50"].value == 0.4
    assert drawing.failed == ("few neighbours=10 on Shop: timeout",)
    assert len(drawing.missing) == 4
    assert drawing.missing[0] == "many neighbours=50 on Shop"
    assert figure_words.gaps(drawing) == (
        "4 of 6 runs are not in the store; 1 of 6 failed: few neighbours=10 on Shop: timeout"
    )


def test_runs_that_lack_what_the_figure_shows_are_named_with_the_reason(tmp_path):
    suite = suite_of(tmp_path, SUITE)
    records = [record_of(plan, 0.4) for plan in suite.plans]
    records[0]["work"] = {"unit": "tree nodes scored", "mean": 70.0, "share": None}
    records[1]["oracle"] = None
    records[3]["oracle"], records[3]["metrics"] = None, {}
    drawing = gather(suite, fill(tmp_path / "results", records), tmp_path)
    assert drawing.lacking == (
        "not drawn: few neighbours=5 on Shop has no work.share (its work is counted in tree nodes scored)",
        "drawn in part: few neighbours=10 on Shop has no oracle.coverage@50, no oracle@50",
        "not drawn: many neighbours=100 on Shop has no oracle.coverage@50, no oracle@50, no recall@50",
    )
    assert [point.line for point in drawing.facets[0].points] == ["few", "many"]
    assert figure_words.gaps(drawing) == "3 of 6 lack some of what is shown"


def test_the_command_says_which_runs_are_not_drawn_and_counts_many(tmp_path, call):
    records = [record_of(plan, 0.4) for plan in suite_of(tmp_path, SUITE).plans]
    lacking = {"unit": "tree nodes scored", "mean": 70.0, "share": None}
    fill(tmp_path / "results", [*({**record, "work": lacking} for record in records[:4]), *records[4:]])
    code, _, err = call("figure", "suite.toml")
    assert code == 0
    assert err.count("not drawn: ") == 4
    assert "not drawn: many neighbours=100 on Shop has no work.share (its work" in err
    fill(tmp_path / "more", [{**record, "oracle": None} for record in records])
    code, _, err = call("figure", "suite.toml", "--results", "more")
    assert (code, err.count("drawn in part: ")) == (0, 5)
    assert "6 of 6 runs lack some of what the figure shows" in err


def test_a_figure_without_any_point_says_what_its_runs_lack(tmp_path):
    suite = suite_of(tmp_path, SUITE)
    work = {"unit": "tree nodes scored", "mean": 70.0, "share": None}
    store = fill(tmp_path / "results", [record_of(plan, 0.4, work=work) for plan in suite.plans])
    with pytest.raises(UsageError, match=r"few neighbours=5 on Shop has no work\.share") as told:
        gather(suite, store, tmp_path)
    assert "bench sweep" not in str(told.value)


def test_runs_that_differ_in_their_seed_alone_are_one_point(tmp_path):
    suite = suite_of(tmp_path, SUITE.replace('title = "Neighbours"', 'title = "Neighbours"\nseeds = [0, 1, 2]'))
    values = {0: 0.3, 1: 0.4, 2: 0.8}
    plans = [plan for plan in suite.plans if plan.seed < 2 or plan.dataset == "synthetic"]
    records = [record_of(plan, values[plan.seed]) for plan in plans]
    drawing = gather(suite, fill(tmp_path / "results", records), tmp_path)
    shop, films = drawing.facets
    assert [point.line for point in shop.points] == ["few", "few", "many", "many"]
    assert [point.x for point in shop.points] == pytest.approx([0.005, 0.01, 0.05, 0.1])
    found = shop.points[0].values["recall@50"]
    assert found.each == (0.3, 0.4, 0.8)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.4, 0.6))
    assert films.points[0].values["recall@50"].each == (0.3, 0.4)
    assert "mean of 3 seeds" in figure_words.caption(drawing)
    assert drawing.missing[0] == "few neighbours=5 on movielens-1m, seed 2"
    rows = list(csv.DictReader(table(drawing).splitlines()))
    assert len(rows) == 6 and len(rows[0]["run"].split()) == 3


def test_nothing_to_draw_is_an_error_that_names_the_mend(tmp_path):
    with pytest.raises(UsageError, match="bench sweep"):
        gather(suite_of(tmp_path, SUITE), Store(tmp_path / "none"), tmp_path)
    with pytest.raises(UsageError, match="declares no figure"):
        gather(suite_of(tmp_path, '[[methods]]\nname = "popularity"'), Store(tmp_path / "none"), tmp_path)


def test_the_table_holds_what_is_drawn(tmp_path, store):
    rows = list(csv.DictReader(table(gather(suite_of(tmp_path, SUITE), store, tmp_path)).splitlines()))
    assert len(rows) == 6
    assert (rows[3]["data"], rows[3]["line"], rows[3]["work.share"]) == ("Shop", "many", "0.1")
    assert (rows[3]["recall@50"], rows[3]["recall@50 low"], rows[3]["recall@50 high"]) == ("0.45", "0.35", "0.55")


@pytest.mark.parametrize("text", [SUITE, BARS])
def test_a_figure_is_written_with_the_same_bytes_each_time(tmp_path, store, text):
    drawing = gather(suite_of(tmp_path, text), store, tmp_path)
    svg, png = figure_drawing.write(drawing, tmp_path / "one")
    again = figure_drawing.write(drawing, tmp_path / "two")
    assert [path.read_bytes() for path in (svg, png)] == [path.read_bytes() for path in again]
    assert png.read_bytes().startswith(b"\x89PNG")
    said = svg.read_text(encoding="utf-8")
    for words in ("Neighbours", "Shop", "few", "many", "1,000 requests", "commit abcdef0", "2026-01-02"):
        assert words in said
    assert "Not complete" not in said


def test_bars_begin_at_zero_and_negative_values_are_shown(tmp_path, store):
    page = figure_drawing.page(gather(suite_of(tmp_path, BARS), store, tmp_path))
    loss, recall = page.axes[:2]
    assert recall.get_xlim()[0] == 0
    assert min(bar.get_x() + min(bar.get_width(), 0) for bar in loss.patches) < 0
    assert {bar.get_x() for bar in recall.patches} == {0}
    assert loss.get_xlim()[0] < -0.2  # where the interval of the least begins


@pytest.mark.parametrize("text", [SUITE, SUITE.replace('log = ["work.share"]', ""), BARS])
def test_shares_and_metrics_end_at_one(tmp_path, text):
    suite = suite_of(tmp_path, text)
    whole = {"recall@50": {"value": 0.99, "low": 0.98, "high": 1.0}, "coverage@50": 1.0, "index_loss@50": 0.99}
    records = [record_of(plan, 0.6 + at / 20) for at, plan in enumerate(suite.plans)]
    for at, record in enumerate(records):
        record["work"]["share"] = 1.0 if at % 2 else 0.3
        record |= {"oracle": whole, "metrics": whole} if at % 2 else {}
    page = figure_drawing.page(gather(suite, fill(tmp_path / "results", records), tmp_path))
    for axes in page.axes:
        if text is BARS:
            assert max(axes.get_xticks()) <= 1
            assert axes.spines["bottom"].get_bounds()[1] == 1
        else:
            assert axes.get_ylim()[1] == 1
            assert axes.get_xlim()[1] == 1


def twelve(folder):
    """Runs of twelve lines, each worse than the one before it on both sides; the first is the cheapest and the best."""
    methods = "".join(
        f'[[methods]]\nname = "item_cf"\nlabel = "method number {at}"\nset = {{ shrink = {at}.0 }}\n'
        "grid = { neighbours = [5, 10] }\n"
        for at in range(12)
    )
    head = '[figure]\nkind = "curve"\nx = "recall@50"\ny = ["latency_ms.p50", "throughput_qps"]\n[[tasks]]\n'
    suite = suite_of(folder, f'{head}dataset = "synthetic"\nprotocol = "next-item"\n{methods}')
    records = []
    for plan in suite.plans:
        worse, width = plan.settings["shrink"], plan.settings["neighbours"]
        recall, latency = 0.3 + width / 100 - worse / 200, width * (1 + worse / 10)
        further = {"latency_ms": {"p50": latency}, "throughput_qps": 1000 / latency}
        records.append(record_of(plan, recall, validation={"recall@50": {"value": recall}}, **further))
    return suite, records


def test_twelve_lines_differ_and_their_key_fits_the_page(tmp_path):
    suite, records = twelve(tmp_path)
    page = figure_drawing.page(gather(suite, fill(tmp_path / "results", records), tmp_path))
    key = [text for text in page.texts if text.get_text().startswith("method number")]
    dots = [line for line in page.get_children() if isinstance(line, Line2D)]
    assert len(key) == len(dots) == 12
    assert len({(dot.get_color(), dot.get_marker()) for dot in dots}) == 12
    assert len({dot.get_color() for dot in dots}) == 12
    boxes = [text.get_window_extent() for text in key]
    assert all(box.x0 >= 0 and box.x1 <= page.bbox.width for box in boxes)
    assert all(page.axes[0].get_window_extent().y1 < box.y0 for box in boxes)
    rows = {round(box.y0) for box in boxes}
    assert len(rows) > 1


def test_the_hundred_and_thirty_second_line_still_looks_like_no_other():
    pairs = [(COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]) for at in range(132)]
    assert len(set(pairs)) == 132


def test_points_that_others_beat_are_hollow_by_validation(tmp_path):
    suite, records = twelve(tmp_path)
    store = fill(tmp_path / "results", records)
    drawing = gather(suite, store, tmp_path)
    points = drawing.facets[0].points
    first = [point.line == "method number 0" for point in points]
    assert beaten(points, "recall@50", "latency_ms.p50") == [not one for one in first]
    assert beaten(points, "recall@50", "throughput_qps") == [not one for one in first]
    assert "hollow" in figure_words.caption(drawing)
    page = figure_drawing.page(drawing)
    white = sum(len(line.get_xdata()) for line in page.axes[0].lines if line.get_markerfacecolor() == "white")
    assert white == first.count(False)
    records[-1]["validation"]["recall@50"]["value"] = 0.99  # dear, but what validation wants
    drawing = gather(suite, fill(tmp_path / "again", records), tmp_path)
    assert not beaten(drawing.facets[0].points, "recall@50", "latency_ms.p50")[-1]


def test_nothing_is_beaten_where_a_panel_sets_no_quality_against_a_cost(tmp_path, store):
    points = gather(suite_of(tmp_path, SUITE), store, tmp_path).facets[0].points
    assert not any(beaten(points, "work.share", "oracle@50"))
    assert not any(beaten(points, "params.neighbours", "recall@50"))


def test_axes_go_on_beyond_one_for_what_does(tmp_path, store):
    text = SUITE.replace('x = "work.share"', 'x = "latency_ms.p50"').replace('["oracle@50", "recall@50"]', '"seconds"')
    page = figure_drawing.page(gather(suite_of(tmp_path, text.replace('log = ["work.share"]', "")), store, tmp_path))
    assert page.axes[0].get_xlim()[1] > 2.5
    assert page.axes[1].get_ylim()[1] > 9.5
    assert figure_words.end(["dcg@50"], 1.2) == np.inf


def test_numbers_read_as_people_write_them():
    assert figure_words.tick("work.share", 0.005) == "0.5%"
    assert figure_words.tick("recall@50", 0.5) == ".5"
    assert figure_words.tick("task.items", 3e6) == "3M"
    assert figure_words.tick("memory", 2e9) == "2 GB"
    assert figure_words.number("index_loss@50", -0.0001) == "0.0%"
    assert figure_words.number("recall@50", 0.1234) == ".123"
    assert figure_words.names(["oracle@50/new", "recall@50/new"]) == ["oracle", "recall@50, new items"]
    assert figure_words.names(["phases.index.peak_rss_bytes", "phases.query.peak_rss_bytes"]) == [
        "index", "peak memory, query",
    ]  # fmt: skip


def test_new_items_are_those_of_one_task_in_every_run(tmp_path):
    """Counted by hand: targets of the later training's run that the earlier training did not know."""
    data = "synthetic:items=300,interactions=6000,arriving=0.6"
    suite = suite_of(
        tmp_path,
        f"""
        ks = [150]
        timing = "none"
        [figure]
        kind = "bars"
        line = "task"
        y = ["recall@150/new"]
        new_in = "early"
        [[tasks]]
        name = "early"
        dataset = "{data}"
        protocol = "temporal:test_share=.3,validation_share=.4"
        [[tasks]]
        name = "late"
        dataset = "{data}"
        protocol = "temporal:test_share=.3,validation_share=.05"
        [[methods]]
        name = "popularity"
        """,
    )
    home = Home(tmp_path / "results", tmp_path / "cache")
    for plan in suite.plans:
        assert run(plan, home, Watcher())["status"] == "ok"
    store = Store(home.results)
    drawing = gather(suite, store, home.cache)
    points = {point.line: point for point in drawing.facets[0].points}
    tasks = {line: Task.open(home.cache / "tasks" / p.records[0]["task"]["folder"]) for line, p in points.items()}
    known = set(tasks["early"].dataset_ids()[: tasks["early"].about["training_items"]].tolist())
    for line, point in points.items():
        _, answers = read_answers(store.folder(point.records[0]["run_id"]))
        ids, values = tasks[line].dataset_ids(), []
        for answer, targets in zip(answers, tasks[line].targets("test"), strict=True):
            new = {target for target in targets.tolist() if int(ids[target]) not in known}
            if new:
                values.append(len(new & set(answer[:150].tolist())) / len(new))
        assert len(values) > 5
        assert point.values["recall@150/new"].value == pytest.approx(np.mean(values))
    assert points["late"].values["recall@150/new"].value > 0
    lines = "\n".join(map(json.dumps, store.records()))
    (tmp_path / "records.jsonl").write_text(lines + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has no recall@150/new"):  # published records are without answers
        gather(suite, Store(tmp_path), home.cache)


def test_only_a_figure_imports_the_library_that_draws():
    program = "import sys, bench.cli, bench.suites, bench.report.schedule; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


class Watcher:
    """Nobody."""

    def stage(self, name, note=""):
        pass

    def progress(self, done, total, note=""):
        pass

    def log(self, line):
        pass
