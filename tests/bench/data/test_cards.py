"""Cards: what a newcomer writes, and what she is told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.data.cardfile import format_of, read_card
from bench.data.cards import card_paths, find_card, split_name
from bench.errors import DataError, UnknownName, UsageError

SMALLEST = """
title = "Clicks of the shop"
[interactions]
file = "clicks.csv"
user = "uid"
item = "sku"
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "shop.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_card_of_five_lines_is_enough(tmp_path: Path) -> None:
    card = read_card(write(tmp_path, SMALLEST))
    assert (card.name, card.title, card.time) == ("shop", "Clicks of the shop", "none")
    assert card.interactions is not None
    assert card.interactions.sources[0].format == "csv"


def test_every_shipped_card_can_be_read() -> None:
    names = card_paths()
    promised = "synthetic movielens-100k movielens-1m movielens-20m movielens-25m goodbooks-10k amazon-books gowalla"
    assert {*promised.split(), "taobao-userbehavior", "epinions", "bookcrossing", "mnist"} <= set(names)
    cards = [find_card(name) for name in names]
    assert all(card.title and card.licence and card.citation for card in cards)
    times = {card.name: card.time for card in cards}
    assert times["epinions"] == "periods"
    assert times["bookcrossing"] == "none"
    assert times["goodbooks-10k"] == "order"
    assert times["synthetic"] == times["gowalla"] == "seconds"
    assert find_card("movielens-1m").title == "ML-1M, ratings >= 4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("titel = 'x'\n", "no key 'titel'. Did you mean 'title'"),
        ("[interaction]\nfile = 'a'\n", "no key 'interaction'. Did you mean 'interactions'"),
    ],
)
def test_a_mistyped_key_is_named_with_the_nearest(tmp_path: Path, change: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_card(write(tmp_path, change + SMALLEST))
    assert "shop.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "no valid TOML"),
        ("title = 'x'", "exactly one of the tables"),
        (SMALLEST.replace('item = "sku"', ""), r"\[interactions\] needs item"),
        (SMALLEST.replace("clicks.csv", "clicks.log"), "cannot tell the format of 'clicks.log'"),
        (SMALLEST.replace("clicks.csv", "clicks.dat"), "add separator"),
        (SMALLEST + 'time_unit = "hours"', "none of seconds, milliseconds"),
        (SMALLEST + 'usr = "x"', "Did you mean 'user'"),
        (SMALLEST + '[items]\nfile="i.csv"\nid="i"\nlabel="name"', "none of its text features"),
        (SMALLEST + '[items]\nfile="i.csv"\nid="i"\n[items.features]\nname="words"', "none of categorical, multi"),
        (SMALLEST + "k_core = { users = 5 }", "k_core must be"),
    ],
)
def test_a_wrong_card_says_what_and_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_card(write(tmp_path, text))


def test_an_unknown_data_set_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'movielens-1m'"):
        find_card("movielens-1")
    with pytest.raises(UsageError, match="there is no card"):
        find_card("nowhere/shop.toml")


def test_settings_follow_the_name() -> None:
    assert split_name("synthetic:items=1000,seed=3") == ("synthetic", {"items": "1000", "seed": "3"})
    assert split_name("movielens-1m") == ("movielens-1m", {})
    with pytest.raises(UsageError, match="'items' is no setting"):
        split_name("synthetic:items")


def test_formats_are_told_by_the_name() -> None:
    assert [format_of(name) for name in ("a.csv.gz", "b.TSV", "c.jsonl", "d.parquet", "e.zip")] == [
        "csv",
        "tsv",
        "jsonl",
        "parquet",
        None,
    ]
