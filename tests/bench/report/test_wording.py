import pytest

from bench.report import wording


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.4123, ".412"), (1.0, "1.000"), (0.0, ".000"), (-0.02, "-.020"), (None, "–"), (float("nan"), "–")],
)
def test_proportions_drop_the_leading_zero(value, text):
    assert wording.proportion(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0048, "0.5%"), (0.0, "0.0%"), (0.0001, "<0.1%"), (1.0, "100%"), (-0.034, "-3.4%"), (2.97, "297%")],
)
def test_percentages(value, text):
    assert wording.percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.034, "0.03"), (12.34, "12.3"), (134, "2m14"), (3599.7, "1h00"), (7300, "2h01"), (99.96, "1m40")],
)
def test_seconds_stay_short(value, text):
    assert wording.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.0028, ".0028"), (0.9681, ".968"), (1.234, "1.23"), (12.6, "13"), (1234.5, "1,234")]
)
def test_milliseconds_keep_three_digits_where_they_matter(value, text):
    assert wording.milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 B"), (14_200, "14 kB"), (8.1e6, "8.1 MB"), (812e6, "812 MB"), (999.6e6, "1.0 GB")]
)
def test_sizes(value, text):
    assert wording.size(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(9312, "9,312"), (9999.6, "10.0k"), (31_240, "31.2k"), (312_400, "312k"), (42.9e6, "42.9M")]
)
def test_short_counts_take_at_most_five_characters(value, text):
    assert wording.short_count(value) == text
    assert len(text) <= 5
