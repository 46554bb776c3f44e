import pytest

from bench.report.rows import group
from bench.report.verdict import failure, verdict


def said(record, *others):
    (task,) = group([record, *others])
    label = next(label for label, row in task.pairs() if row is record)
    return verdict(label, record, task).text


def with_loss(made, recall, oracle, **changes):
    loss = (oracle - recall) / oracle
    return made.finished(
        recall=recall, oracle={"recall@50": {"value": oracle}, "index_loss@50": {"value": loss}}, **changes
    )


def test_a_small_loss_blames_the_model(made):
    assert said(with_loss(made, 0.412, 0.414), made.bound()) == (
        "dvf finds .412 of the targets in its top 50 (bayes: .610). Its scorer over all items would find .414: the "
        "index loses 0.5%, so the model, not the index, is what to improve."
    )


def test_no_loss_is_said_plainly(made):
    assert "the index loses nothing measurable, so the model" in said(with_loss(made, 0.4, 0.4))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.004, 0.012, "the index loses nothing measurable, so the model"),
        (0.001, 0.009, "the index loses 0.5%, so the model"),
        (-0.26, 0.385, "whether the index loses anything cannot be told (-26.0% to 38.5%)."),
    ],
)
def test_no_loss_is_claimed_that_its_interval_does_not_exclude_from_zero(made, low, high, words):
    loss = {"value": 0.005, "low": low, "high": high}
    assert words in said(made.finished(oracle={"recall@50": 0.414, "index_loss@50": loss}))


@pytest.mark.parametrize(
    ("deepest", "told"),
    [
        ({"value": 0.126, "low": 0.117, "high": 0.136}, True),
        ({"value": 0.04, "low": 0.03, "high": 0.05}, False),  # not twice that at 50
        ({"value": 0.09, "low": 0.02, "high": 0.16}, False),  # the intervals meet
    ],
)
def test_a_much_larger_loss_at_the_deepest_k_is_said(made, deepest, told):
    loss = {"value": 0.025, "low": 0.016, "high": 0.029}
    text = said(made.finished(oracle={"recall@50": 0.414, "index_loss@50": loss, "index_loss@200": deepest}))
    assert "the index loses 2.5%: a wider search would gain a little" in text
    assert text.endswith(" In its top 200 it loses 12.6%: there a wider search gains more.") == told


def test_of_a_method_that_looks_at_every_item_no_index_is_spoken_of(made):
    same = {"recall@50": 0.412, "index_loss@50": {"value": 0.0, "low": 0.0, "high": 0.0}, "same": True}
    record = made.finished("ease", oracle=same, work={"unit": "items scored", "mean": 3460.0, "share": 0.89})
    assert said(record) == "ease finds .412 of the targets in its top 50."
    whole = with_loss(made, 0.4, 0.4, work={"unit": "items scored", "mean": 20_000.0, "share": 1.0})
    assert said(whole) == "dvf finds .400 of the targets in its top 50."


def test_a_large_loss_blames_the_index(made):
    assert "loses 25.0%: let it search wider before touching the model" in said(with_loss(made, 0.3, 0.4))


def test_beside_the_bound_the_larger_gap_is_blamed(made):
    assert "loses 5.0%, more than the model does" in said(with_loss(made, 0.57, 0.60), made.bound(0.61))
    assert "a better model more" in said(with_loss(made, 0.38, 0.40), made.bound(0.61))


def test_an_index_that_finds_more_than_its_scorer_is_said(made):
    assert "the index finds 5.0% more than that, so the model" in said(with_loss(made, 0.42, 0.40))


def test_without_a_scorer_nothing_is_blamed(made):
    assert said(made.finished("item_cf", 0.3, oracle=None)).endswith("cannot be split into model and index.")


def test_a_sample_is_said(made):
    record = with_loss(made, 0.412, 0.414)
    record["oracle"]["sample"], record["task"]["requests"] = 500, 2000
    assert "would find .414 (on a sample of 500 requests)" in said(record)


def test_the_bound_is_explained(made):
    assert said(made.bound()).startswith("bayes knows the simulator's preferences: .610 is the most")


def test_the_null_method_shows_the_floor(made):
    assert "its p50 of 1.23 ms is what the harness itself takes" in said(made.finished("null", 0.0))
    assert said(made.finished("null", 0.0, latency_ms=None)) == "null answers nothing."


@pytest.mark.parametrize("status", ["failed", "timeout", "memory", "invalid", "unavailable"])
def test_a_failure_names_its_first_line_and_where_to_read_more(made, status):
    line = failure("ease", made.failure(status=status, error="first line\nsecond line"))
    assert line.failed
    assert "first line" in line.text
    assert "second line" not in line.text
    assert "bench inspect" in line.more
