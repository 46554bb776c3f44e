"""A file without a card: its separator, columns and times guessed, said in a sentence, or given."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from bench.data.dataset import Dataset, load_file
from bench.errors import DataError, UnknownName


def load(path: Path, content: str | bytes, columns: dict[str, str] | None = None) -> tuple[Dataset, str]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_file(path, columns, cache=path.parent / "cache")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("user_id,item_id,timestamp\n1,2,1500000000\n1,3,1500000005\n", "separator ',', user = 'user_id', item = "),
        ("UserID;MovieID;Stars\n1;2;5\n1;3;4\n", "separator ';', user = 'UserID', item = 'MovieID', rating = 'Stars'"),
        ("visitor\tsku\tevent_time\nä\tö\t2024-05-31T12:00:00\nä\tü\t2024-06-01 12:00\n", "time = 'event_time' (date)"),
        ("uid|asin|ts\n1|B1|1500000000123\n2|B2|1500000000999\n", "time = 'ts' (milliseconds)"),
        ("user,item,ts\n1,2,1500000000123456789\n1,3,0\n", "time = 'ts' (nanoseconds)"),
        ("user::item::time\n1::2::3\n1::4::5\n", "separator '::'"),
        ('"user","item","title"\n"1","2","a, b"\n"1","3","c"\n', "separator ',', user = 'user', item = 'item'"),
    ],
)
def test_columns_are_guessed_and_said(tmp_path: Path, content: str, said: str) -> None:
    data, sentence = load(tmp_path / "clicks.csv", content)
    assert len(data.interactions) == 2
    assert said in sentence
    assert sentence.startswith("clicks.csv: ")
    assert "--columns" in sentence
    assert data.name == data.title == "clicks.csv"
    assert data.time == (
        "seconds" if "time" in sentence.replace("tells", "") and "; no column" not in sentence else "none"
    )


def test_given_columns_decide(tmp_path: Path) -> None:
    content = "a,b,c,d\nx,1,10,100\nx,2,20,50\n"
    data, said = load(tmp_path / "log.csv", content, {"user": "a", "item": "c", "time": "d"})
    assert [data.item_ids[item] for item in data.interactions.items] == ["20", "10"]
    assert "guessed" not in said
    with pytest.raises(DataError, match=r"no column's name tells the user and the item.*its columns are a, b, c, d"):
        load(tmp_path / "log.csv", content)
    with pytest.raises(DataError, match=r"no column 'z'.*Correct --columns"):
        load(tmp_path / "log.csv", content, {"user": "a", "item": "z"})
    with pytest.raises(UnknownName, match="Did you mean 'item'"):
        load(tmp_path / "log.csv", content, {"user": "a", "items": "c"})
    with pytest.raises(DataError, match="must name both user"):
        load(tmp_path / "log.csv", content, {"user": "a"})


def test_a_file_without_header_names_its_columns_by_number(tmp_path: Path) -> None:
    content = "1,2,1500000000\n1,3,1500000001\n"
    with pytest.raises(DataError, match=r"it has no header; the columns are called 1, 2, 3.*--columns user=1,item=2"):
        load(tmp_path / "log.csv", content)
    data, _ = load(tmp_path / "log.csv", content, {"user": "1", "item": "2", "time": "3"})
    assert len(data.interactions) == 2


def test_other_formats_are_read_too(tmp_path: Path) -> None:
    rows = {"user": ["a", "a", "b"], "item": [1, 2, 1], "time": [5, 6, 7]}
    lines = [json.dumps(dict(zip(rows, row, strict=True))) for row in zip(*rows.values(), strict=True)]
    pl.DataFrame(rows).write_parquet(tmp_path / "x.parquet")
    text = pl.DataFrame(rows).write_csv()
    files = {
        "a.jsonl": "\n".join(lines),
        "b.csv.gz": gzip.compress(text.encode()),
        "c.parquet": (tmp_path / "x.parquet").read_bytes(),
        "d.log": text,
    }
    found = [load(tmp_path / name, content)[0].fingerprint for name, content in files.items()]
    assert len(set(found)) == 1


@pytest.mark.parametrize("name", ["clicks [2024].csv", "all*?.jsonl", "{a}[b-c].parquet", "x [1].csv.gz"])
def test_a_name_that_looks_like_a_pattern_is_that_of_one_file(tmp_path: Path, name: str) -> None:
    octets = b"user,item\n1,2\n1,3\n"
    if name.endswith("jsonl"):
        octets = b'{"user": 1, "item": 2}\n{"user": 1, "item": 3}\n'
    elif name.endswith("parquet"):
        pl.DataFrame({"user": [1, 1], "item": [2, 3]}).write_parquet(tmp_path / "other.parquet")
        octets = (tmp_path / "other.parquet").read_bytes()
    data, _ = load(tmp_path / name, gzip.compress(octets) if name.endswith("gz") else octets)
    assert (data.name, len(data.interactions)) == (name, 2)


def test_what_is_wrong_with_the_first_lines_is_said_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        load(tmp_path / "log.csv", '"user,name",item\n"1",2\n')
    assert str(error.value).startswith(f"{tmp_path}/log.csv: there is no column")


def test_latin_1_is_noticed(tmp_path: Path) -> None:
    data, _ = load(tmp_path / "log.csv", "user,item\nRené,1\nZoë,2\n".encode("latin-1"))
    assert sorted(data.user_ids) == ["René", "Zoë"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has 0 bytes"),
        ("\n\n", "no whole line"),
        ("user,item," + "x" * (1 << 19), "no whole line"),
        ("user,item\n", "leaves no interaction"),
        ("user,item,time\n1,2,soon\n1,3,later\n", r"'time' \('soon'\) is no time.*time_format"),
        ("user,item,time\n1,2,10\n1,3,soon\n1,3,12\n", r"line 3: time \(column 'time'\) is 'soon'"),
        ("user,item,time\n1,2,100000000000000000000\n", "'time' .* is no time"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        load(tmp_path / "log.csv", content)
    assert "log.csv" in str(caught.value)
    assert not list((tmp_path / "cache" / "datasets").glob("*/"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        load_file(tmp_path / "none.csv", None, cache=tmp_path)
