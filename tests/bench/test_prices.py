"""Price tables: what is read, and what is refused with file and mend."""

import pytest

from bench.errors import UnknownName, UsageError
from bench.prices import Prices, load_prices


def prices(tmp_path, text):
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    return load_prices(path)


def test_prices_are_what_the_file_says_and_nothing_else(tmp_path):
    assert prices(tmp_path, 'currency = "EUR"\ncore_hour = 1\nrequests = 2e6') == Prices("EUR", 1.0, requests=2e6)
    full = prices(tmp_path, 'currency = "USD"\ncore_hour = 0.03\ngb_hour = 0.004\ngpu_hour = 2\ngb_month = 0.08')
    assert (full.gb_hour, full.gpu_hour, full.gb_month, full.requests) == (0.004, 2.0, 0.08, 1e6)
    assert str(full) == (
        "an hour of a core 0.03 USD, an hour of a GB of memory 0.004 USD, an hour of a GPU 2 USD, a month of a stored "
        "GB 0.08 USD"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("core_hour = 1", r"prices\.toml: say in which currency"),
        ('currency = "EUR"\ncore_hour = -1', r"core_hour = -1 should be a number of at least 0"),
        ('currency = "EUR"\ncore_hour = true', r"core_hour = True should be a number"),
        ('currency = "EUR"\ncore_hour = nan', r"core_hour = nan should be a number"),
        ('currency = "EUR"\ngb_hour = 1', r"no price of a processor; give core_hour"),
        ('currency = "EUR"\ncore_hour = 1\nrequests = 0', r"requests = 0 leaves nothing"),
        ("currency = ", r"prices\.toml: not valid TOML"),
    ],
)
def test_bad_prices_are_refused_with_the_mend(tmp_path, text, words):
    with pytest.raises(UsageError, match=words):
        prices(tmp_path, text)


def test_a_misspelt_price_is_named_with_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match="Did you mean 'core_hour'"):
        prices(tmp_path, 'currency = "EUR"\ncore_hours = 1')
