import click
import pytest

from bench.commands.options import Assignment, Bytes, Ints, Names, Seconds, columns, flattened
from bench.commands.wanted import depths, distribute
from bench.errors import UnknownName, UsageError


def test_a_setting_reaches_every_method_that_has_it_and_one_with_a_prefix_only_that():
    found = distribute([("neighbours", "5"), ("ease.regularisation", "7")], ["item_cf", "ease", "popularity"])
    assert found == {"item_cf": {"neighbours": "5"}, "ease": {"regularisation": "7"}, "popularity": {}}


def test_a_mistyped_setting_suggests_the_nearest():
    with pytest.raises(UnknownName, match="Did you mean 'neighbours'"):
        distribute([("neighbors", "5")], ["item_cf", "ease"])
    with pytest.raises(UnknownName, match="no parameter 'neighbours' of ease"):
        distribute([("ease.neighbours", "5")], ["item_cf", "ease"])


@pytest.mark.parametrize("names", [("shrink",) * 2, ("item_cf.shrink",) * 2, ("shrink", "item_cf.shrink")])
def test_a_setting_that_is_said_twice_is_refused(names):
    settings = list(zip(names, ("5", "7"), strict=True))
    for said in (settings, settings[::-1]):
        with pytest.raises(UsageError, match=r"item_cf shrink twice, '[57]' and '[57]'"):
            distribute(said, ["item_cf", "ease"])


def test_names_may_be_repeated_or_joined_and_keep_their_settings():
    names = Names()
    joined = names.convert("synthetic:items=100,seed=3,movielens-1m, synthetic:seed=1", None, None)
    assert joined == ["synthetic:items=100,seed=3", "movielens-1m", "synthetic:seed=1"]
    assert flattened([["a", "b"], ["b", "c"]]) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "size"), [("8GB", 8 * 10**9), ("1.5GiB", 3 * 2**29), ("800 mb", 8 * 10**8), ("1000", 1000)]
)
def test_memory(text, size):
    assert Bytes().convert(text, None, None) == size


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("0.5", 0.5)])
def test_times(text, seconds):
    assert Seconds().convert(text, None, None) == seconds


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Bytes(), "much"),
        (Bytes(), "1.2.3GB"),
        (Seconds(), "soon"),
        (Seconds(), "1.2.3"),
        (Ints(), "10,x"),
        (Ints(), "0"),
        (Assignment(), "ef"),
    ],
)
def test_texts_that_cannot_be_read_are_refused(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_a_single_depth_brings_the_usual_ones_below_it():
    assert depths((100,)) == (10, 50, 100)
    assert depths((10,)) == (10,)
    assert depths((5, 20)) == (5, 20)


def test_columns_by_role():
    assert columns(["user=uid,item=sku", "time=ts"]) == {"user": "uid", "item": "sku", "time": "ts"}
    assert columns([]) is None
    with pytest.raises(UsageError, match="role=column"):
        columns(["uid"])
