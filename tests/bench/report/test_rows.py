import pytest

from bench.errors import UnknownName, UsageError
from bench.report import rows, selection


def names(records):
    return [record["method"]["name"] for record in records]


def test_sorting_puts_the_best_first_and_rows_without_a_value_last(records):
    assert names(rows.sort(records, "recall@50")) == ["bayes", "dvf", "item_cf", "ease"]
    assert names(rows.sort(records, "-recall@50")) == ["item_cf", "dvf", "bayes", "ease"]


def test_costs_sort_from_the_least(made):
    slow = made.finished("slow", latency_ms={"p50": 9.0})
    assert names(rows.sort([slow, made.finished("quick")], "p50")) == ["quick", "slow"]


def test_an_unknown_column_suggests_the_nearest(records):
    with pytest.raises(UnknownName, match=r"Did you mean 'recall@50'"):
        rows.sort(records, "recal@50")


def test_equal_labels_are_told_apart_by_the_run(made):
    twice = [made.finished(run_id="aaaa1111/1"), made.finished(run_id="bbbb2222/1")]
    assert rows.labels(twice) == ["dvf (aaaa1111)", "dvf (bbbb2222)"]


def test_parameters_of_protocol_and_data_are_in_the_title_where_they_are_not_the_defaults(made):
    record = made.finished()
    record["task"] |= {
        "dataset": "synthetic:items=500",
        "protocol": {"name": "next-item", "parameters": {"users": 50, "seed": 0}},
    }
    assert rows.group([record])[0].title == "Synthetic, 20,000 items (items=500) · next-item (users=50)"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["method=dvf"], ["dvf"]),
        (["status!=ok"], ["ease"]),
        (["recall@50>0.35"], ["bayes", "dvf"]),
        (["recall@50>=0.301", "recall@50<0.5"], ["item_cf", "dvf"]),
        (["protocol=next-item", "method=ease"], ["ease"]),
        (["ef=100", "status=ok"], ["item_cf", "dvf"]),
    ],
)
def test_conditions_select(records, conditions, expected):
    assert names(selection.select(records, conditions)) == expected


@pytest.mark.parametrize("condition", ["dvf", "recall@50>much", "method>dvf"])
def test_a_condition_that_cannot_be_read_is_refused(records, condition):
    with pytest.raises(UsageError):
        selection.select(records, [condition])


def test_an_unknown_name_in_a_condition_suggests_the_nearest(records):
    with pytest.raises(UnknownName, match=r"Did you mean 'method'"):
        selection.select(records, ["methd=dvf"])


def test_of_equal_runs_the_newest_good_one_stands(made):
    good, bad = made.finished(run_id="s/1", spec_id="s"), made.failure()
    bad |= {"run_id": "s/2", "spec_id": "s"}
    assert [row["run_id"] for row in selection.newest([good, bad])] == ["s/1"]
    again = made.finished(run_id="s/3", spec_id="s")
    assert [row["run_id"] for row in selection.newest([bad, good, again])] == ["s/3"]


def test_a_limited_choice_of_items_is_said(made):
    record = made.finished()
    record["task"]["eligible_items"] = 1500
    assert "20,000 items · 480,000 training interactions · 1,500 items may be answered" in rows.group([record])[0].facts


def test_rows_timed_beside_other_work_are_named(made):
    quiet, loud = made.finished("quiet", competing_cores=0.02), made.finished("loud", competing_cores=0.8)
    assert rows.noise([quiet, made.finished("old")]) == ""
    assert "1 of 2 rows were timed while other work took up to 0.8 cores" in rows.group([quiet, loud])[0].notes
    assert rows.noise([loud]).startswith("All rows")
