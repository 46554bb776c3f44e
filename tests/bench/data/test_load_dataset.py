"""From a card and its files to a prepared data set: the same arrays from every form, and errors that name the mend."""

from __future__ import annotations

import gzip
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from bench.data.dataset import Dataset, load_dataset
from bench.errors import DataError, UsageError


def same(one: Dataset, other: Dataset) -> bool:
    pairs = [(one.interactions.users, other.interactions.users), (one.interactions.items, other.interactions.items)]
    return one.fingerprint == other.fingerprint and all(np.array_equal(a, b) for a, b in pairs)


def test_ids_are_compact_and_rows_sorted_by_user_then_time(shop: Any) -> None:
    data = shop.simple(shop.csv())
    assert list(data.user_ids) == ["9", "10"]  # by number, not as text
    assert list(data.item_ids) == ["a", "b", "c"]  # d was never rated 4 or more
    assert data.interactions.users.tolist() == [0, 0, 1, 1]
    assert data.interactions.items.tolist() == [1, 2, 0, 1]
    assert data.interactions.timestamps is not None
    assert data.interactions.timestamps.tolist() == [6, 7, 10, 30]
    assert data.interactions.ratings is not None
    assert data.interactions.ratings.dtype == np.float32
    assert data.interactions.by_user[1].tolist() == [0, 1]
    assert data.dropped == {"not rating >= 4": 2}
    assert data.unsorted == 2
    assert data.interactions.users.dtype == data.interactions.items.dtype == np.int32


def test_ids_with_leading_zeros_stay_text(shop: Any) -> None:
    data = shop.simple("u,i,r,t\n007,10,5,1\n7,9,5,1\n7,08,5,1\n")
    assert list(data.user_ids) == ["007", "7"]
    assert list(data.item_ids) == ["08", "10", "9"]


def test_every_form_of_a_table_gives_the_same_prepared_set(tmp_path: Path, shop: Any) -> None:
    text = shop.csv()
    first = shop.simple(text)
    forms: dict[str, str] = {}
    plain = tmp_path / "log.csv"
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.write(plain, "inner/log.csv")
    forms["log.zip"] = 'member = "inner/log.csv"\n'
    with tarfile.open(tmp_path / "log.tar.gz", "w:gz") as packed:
        packed.add(plain, "inner/log.csv")
    forms["log.tar.gz"] = 'member = "inner/log.csv"\n'
    (tmp_path / "log2.csv.gz").write_bytes(gzip.compress(text.encode()))
    forms["log2.csv.gz"] = ""
    (tmp_path / "log.dat").write_text(shop.csv(separator="::", header=False), encoding="latin-1")
    forms["log.dat"] = 'separator = "::"\nencoding = "latin-1"\ncolumns = ["u", "i", "r", "t"]\n'
    (tmp_path / "log.tsv").write_text(shop.csv(separator="\t"))
    forms["log.tsv"] = ""
    lines = [json.dumps(dict(zip("uirt", row, strict=True))) for row in shop.rows]
    (tmp_path / "log.jsonl").write_text("\n".join(lines))
    forms["log.jsonl"] = ""
    frame = pl.DataFrame(shop.rows, schema=["u", "i", "r", "t"], orient="row").with_columns(pl.col("u").cast(pl.Int32))
    frame.filter(pl.col("r") >= 4).write_parquet(tmp_path / "log.parquet")  # as complete as the rule needs
    forms["log.parquet"] = ""
    for file, extra in forms.items():
        assert same(first, shop.load(f'[interactions]\nfile = "{file}"\n{extra}{shop.rules}')), file


def test_the_official_archive_and_the_local_file_of_ml_1m_agree(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pairs = np.stack(np.unravel_index(rng.permutation(40 * 30)[:400], (40, 30)), axis=1) + 1
    ratings, times = rng.integers(1, 6, 400), 956703932 + rng.integers(0, 40, 400)
    official, local = tmp_path / "official" / "movielens-1m", tmp_path / "local" / "movielens-1m"
    movies = "".join(f"{item}::Café {item} ({1980 + item})::Drama|Comedy\n" for item in range(1, 36)).encode("latin-1")
    users = "".join(f"{user}::F::25::{user % 5}::48067\n" for user in range(1, 41)).encode()
    local.mkdir(parents=True)
    official.mkdir(parents=True)
    table = pl.DataFrame({"user_id": pairs[:, 0], "item_id": pairs[:, 1], "rating": ratings, "timestamp": times})
    table = table.cast({"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Int8})
    table.sort("item_id").filter(pl.col("rating") >= 4).write_parquet(local / "ratings_4plus.parquet")
    (local / "movies.dat").write_bytes(movies)
    (local / "users.dat").write_bytes(users)
    rows = "".join("::".join(map(str, row)) + "\n" for row in table.iter_rows())
    # its md5 is not the official one, so the archive is laid out as a person would have unpacked it
    for name, content in (("ratings.dat", rows.encode()), ("movies.dat", movies), ("users.dat", users)):
        (official / "ml-1m").mkdir(exist_ok=True)
        (official / "ml-1m" / name).write_bytes(content)
    one = load_dataset("movielens-1m", cache=tmp_path / "cache", data_root=official.parent)
    other = load_dataset("movielens-1m", cache=tmp_path / "cache", data_root=local.parent)
    assert same(one, other)
    assert one.label == "title"
    assert one.catalog.size == 35
    assert one.title == "ML-1M, ratings >= 4"
    year = one.catalog.features["year"]
    assert year.names[int(year.codes[0])] == "1981"  # type: ignore[union-attr]
    assert one.catalog.features["title"].values[2] == "Café 3 (1983)"  # type: ignore[union-attr]


def test_ties_go_by_a_fixed_hash_of_the_raw_ids_or_as_in_the_file(shop: Any) -> None:
    rows = [("1", str(item), 5, 0) for item in range(200)]
    hashed = shop.simple(shop.csv(rows))
    shuffled = shop.simple(shop.csv(rows[::-1]))
    filed = shop.load(f'[interactions]\nfile = "log.csv"\n{shop.rules}', ties="file")
    assert np.array_equal(hashed.interactions.items, shuffled.interactions.items)
    assert filed.interactions.items.tolist() == list(range(199, -1, -1))
    assert abs(np.corrcoef(np.arange(200), hashed.interactions.items)[0, 1]) < 0.2  # no trace of the ids' order
    assert hashed.interactions.items[:5].tolist() == [141, 130, 153, 15, 143]  # the same on every machine
    with pytest.raises(UsageError, match="ties"):
        shop.load(f'[interactions]\nfile = "log.csv"\n{shop.rules}', ties="random")


def test_a_column_of_order_decides_before_the_hash(tmp_path: Path, shop: Any) -> None:
    text = "u,i,r,t,n\n" + "".join(f"1,{item},5,0,{-item}\n" for item in range(9))
    data = shop.simple(text, 'order = "n"\n')
    assert data.interactions.items.tolist() == list(range(8, -1, -1))
    (tmp_path / "log.csv").write_text("u,i\n1,5\n1,3\n1,4\n")
    rows = shop.load('[interactions]\nfile = "log.csv"\nuser = "u"\nitem = "i"\norder = "#row"\n')
    assert [rows.item_ids[item] for item in rows.interactions.items] == ["5", "3", "4"]
    assert rows.time == "order"
    assert rows.interactions.timestamps is None


@pytest.mark.parametrize(
    ("unit", "texts", "expected"),
    [
        ("milliseconds", ["1500", "2999"], [1, 2]),
        ("seconds", ["1.5e9", "1500000001.9"], [1500000000, 1500000001]),
        ("date", ["2010-10-19T23:55:27Z", "2010-10-20 00:00:00"], [1287532527, 1287532800]),
        ("date", ["1970-01-02", "1970-01-03T00:00:00.500"], [86400, 172800]),
        ("date", ["1970-01-01T02:00:00+02:00", "1970-01-01T00:00"], [0, 0]),
    ],
)
def test_times_become_seconds(shop: Any, unit: str, texts: list[str], expected: list[int]) -> None:
    data = shop.simple(
        "u,i,r,t\n" + "".join(f"1,{at},5,{text}\n" for at, text in enumerate(texts)), f'time_unit = "{unit}"\n'
    )
    assert data.interactions.timestamps is not None
    assert data.interactions.timestamps.tolist() == expected


def test_k_core_is_applied_until_nothing_changes(shop: Any) -> None:
    pairs = [(1, 1), (1, 2), (2, 1), (2, 2), (3, 2), (3, 3), (4, 3)]  # 4 falls, so 3 falls
    data = shop.simple(shop.csv([(str(user), str(item), 5, 0) for user, item in pairs]), "k_core = 2\n")
    assert list(data.user_ids) == ["1", "2"]
    assert list(data.item_ids) == ["1", "2"]
    assert data.dropped["k-core"] == 3


def test_behaviours_are_codes_of_the_cards_list(tmp_path: Path, shop: Any) -> None:
    text = '[interactions]\nfile = "log.csv"\nuser = "u"\nitem = "i"\nbehaviour = "b"\n'
    (tmp_path / "log.csv").write_text("u,i,b\n1,1,buy\n1,2,click\n2,1,click\n")
    data = shop.load(text + 'behaviours = ["click", "cart", "buy"]\n')
    assert data.interactions.behaviours is not None
    assert sorted(data.interactions.behaviours.tolist()) == [0, 0, 2]
    assert shop.load(text).behaviours == ("buy", "click")
    assert len(shop.load(text + 'keep = "behaviour in buy, cart"\n').interactions) == 1
    with pytest.raises(DataError, match=r"line 2: behaviour \(column 'b'\) is 'buy'.*The card knows click"):
        shop.load(text + 'behaviours = ["click"]\n')
    with pytest.raises(DataError, match="keep = 'stars > 3' cannot be understood"):
        shop.load(text + 'keep = "stars > 3"\n')


ITEMS = """
[items]
file = "items.csv"
id = "i"
label = "name"
[items.features]
name = "text"
price = "numeric"
colour = "categorical"
year = { kind = "categorical", column = "name", pattern = '\\((\\d{4})\\)' }
tags = { kind = "multi", separator = "|" }
flags = { kind = "multi", columns = ["new", "old"] }
[users]
file = "users.csv"
id = "u"
[users.features]
age = "numeric"
"""


def test_side_information_is_aligned_with_the_ids(tmp_path: Path, shop: Any) -> None:
    (tmp_path / "items.csv").write_text(
        "i,name,price,colour,tags,new,old\nb,Bee (1999),1.5,red,x|y,1,0\na,Ant,,,,0,0\nz,Zoo,9,blue,y,1,1\n"
        "b,Twice,2,red,x,0,0\n"
    )
    (tmp_path / "users.csv").write_text("u,age\n10,33\n77,44\n")
    data = shop.simple(shop.csv(), ITEMS)
    assert list(data.item_ids) == ["a", "b", "c", "z"]
    assert data.described.tolist() == [True, True, False, True]
    features = data.catalog.features
    assert [features["name"].values[at] for at in range(4)] == ["Ant", "Bee (1999)", "", "Zoo"]  # type: ignore[union-attr]
    assert features["colour"].codes.tolist() == [-1, 1, -1, 0]  # type: ignore[union-attr]
    assert list(features["colour"].names) == ["blue", "red"]  # type: ignore[union-attr]
    assert features["year"].codes.tolist() == [-1, 0, -1, -1]  # type: ignore[union-attr]
    assert np.array_equal(features["price"].values, np.array([np.nan, 1.5, np.nan, 9], np.float32), equal_nan=True)  # type: ignore[union-attr]
    assert [row.tolist() for row in features["tags"].codes] == [[], [0, 1], [], [1]]  # type: ignore[union-attr]
    assert [row.tolist() for row in features["flags"].codes] == [[], [0], [], [0, 1]]  # type: ignore[union-attr]
    assert list(features["flags"].names) == ["new", "old"]  # type: ignore[union-attr]
    assert np.array_equal(data.profiles["age"].values, np.array([np.nan, 33], np.float32), equal_nan=True)  # type: ignore[union-attr]
    assert data.label == "name"


def test_the_fingerprint_follows_content_and_rules(tmp_path: Path, shop: Any) -> None:
    first = shop.simple(shop.csv())
    assert shop.simple(shop.csv(shop.rows[::-1])).fingerprint == first.fingerprint
    changed = [*shop.rows[:-1], ("10", "d", 4, 20)]
    assert shop.simple(shop.csv(changed)).fingerprint != first.fingerprint
    (tmp_path / "log.csv").write_text(shop.csv())
    other_rule = f'[interactions]\nfile = "log.csv"\n{shop.rules.replace(">= 4", "> 3")}'
    assert shop.load(other_rule).fingerprint != first.fingerprint


def test_a_prepared_set_is_opened_without_its_files(tmp_path: Path, shop: Any) -> None:
    first = shop.simple(shop.csv())
    (tmp_path / "log.csv").unlink()
    assert same(first, shop.load(f'[interactions]\nfile = "log.csv"\n{shop.rules}'))
