"""Bad files, wrong checksums and damaged caches: each error names file, row and mend."""

from __future__ import annotations

import errno
import gzip
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from bench.data.dataset import load_dataset
from bench.data.logfile import LogWriter
from bench.errors import ChecksumMismatch, CorruptCache, DataError, UsageError


def test_an_archive_that_is_not_the_official_one_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ml-1m.zip", "w") as archive:
        for name in ("ratings", "movies", "users"):
            archive.writestr(f"ml-1m/{name}.dat", "1::2::5::7\n")
    with pytest.raises(
        ChecksumMismatch, match=r"ml-1m\.zip is not the file that its card names: md5:.* instead of md5:"
    ):
        load_dataset("movielens-1m", cache=tmp_path / "cache", data_root=tmp_path)
    assert not list((tmp_path / "cache" / "datasets").glob("movielens-1m-*/"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has 0 bytes. Delete it"),
        ("u,i,r,t\n", "leaves no interaction: it holds no row"),
        ("u,i,r\n1,2,5\n", "no column 't'"),
        ("u,i,r,time\n1,2,5,7\n", "no column 't'"),
        ("u;i;r;t\n1;2;5;7\n", "Correct separator = ',', or the name, in the card"),
        ("u,i,r,t\n1,2,5,7\n1,3,5\n", r"log.csv line 3 has no value for time.*may be cut short"),
        ("u,i,r,t\n1,2,5,7\n1,3,5,8,9\n", r"log.csv line 3 has 5 fields instead of 4: '1,3,5,8,9'"),
        ("u,i,r,t\n1,2,5,7\n1,3,5,yesterday\n1,2,5,x\n", r"line 3: time \(column 't'\) is 'yesterday'.*1 more rows"),
        ("u,i,r,t\n1,2,5,7\n1,3,good,8\n", r"line 3: rating \(column 'r'\) is 'good'"),
        ("u,i,r,t\n1,2,5,7\n,3,5,8\n", "line 3 has no value for user"),
        ('u,i,r,t\n1,2,5,7\n1,"3,5,8\n', "line 3 has a quote that is not closed"),
        ("u,i,r,t\n1,2,1,7\n", "leaves no interaction: dropped 1 by not rating >= 4.*Check keep"),
    ],
)
def test_a_bad_file_is_named_with_its_row_and_the_mend(tmp_path: Path, shop: Any, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        shop.simple(content)
    assert "log.csv" in str(caught.value)
    assert not list((tmp_path / "cache" / "datasets").glob("shop-*/")), "a half-written cache"


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path, shop: Any) -> None:
    (tmp_path / "log.csv").write_bytes("u,i,r,t\n1,a,5,7\n1,é,5,8\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"line 3 is not in utf-8. Say encoding = 'latin-1'"):
        shop.load(f'[interactions]\nfile = "log.csv"\n{shop.rules}')


@pytest.mark.parametrize(("file", "broken"), [("log.zip", 60), ("log.csv.gz", 25), ("log.parquet", 100)])
def test_truncated_files_are_named(tmp_path: Path, shop: Any, file: str, broken: int) -> None:
    (tmp_path / "log.csv").write_text(shop.csv())
    with zipfile.ZipFile(tmp_path / "log.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "log.csv", "log.csv")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(shop.csv().encode()))
    pl.read_csv(tmp_path / "log.csv").write_parquet(tmp_path / "log.parquet")
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:broken])
    form = "parquet" if "parquet" in file else "csv"
    with pytest.raises(DataError, match=rf"{file} is damaged or truncated.*Delete it"):
        shop.load(f'[interactions]\nfile = "{file}"\nformat = "{form}"\n{shop.rules}')


def test_a_missing_member_lists_what_the_archive_holds(tmp_path: Path, shop: Any) -> None:
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    with pytest.raises(DataError, match=r"no member 'c.csv'. It holds: a.csv, b.csv"):
        shop.load(f'[interactions]\nfile = "log.zip"\nmember = "c.csv"\n{shop.rules}')
    with pytest.raises(DataError, match="holds several files"):
        shop.load(f'[interactions]\nfile = "log.zip"\nformat = "csv"\n{shop.rules}')


def test_a_bad_json_line_is_named(shop: Any) -> None:
    with pytest.raises(DataError, match=r"line 2 is no JSON"):
        shop.simple('{"u":1,"i":2,"r":5,"t":3}\n{"u":1,\n', file="log.jsonl")


def test_a_missing_file_says_where_it_was_looked_for(tmp_path: Path, shop: Any) -> None:
    root = tmp_path / "root"
    with pytest.raises(DataError, match=r"needs gone.csv.*looked in.*root/shop.*no public address.*Put gone.csv into"):
        load_dataset(
            shop.card(f'[interactions]\nfile = "gone.csv"\n{shop.rules}'), cache=tmp_path / "cache", data_root=root
        )


@pytest.mark.parametrize("name", ["interactions.arrow", "items.arrow", "users.arrow", "dataset.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "flipped", "empty"])
def test_a_damaged_cache_is_named_with_the_mend(tmp_path: Path, shop: Any, name: str, damage: str) -> None:
    shop.simple(shop.csv())
    (path,) = (tmp_path / "cache" / "datasets").glob(f"*/{name}")
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 0xFF
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": bytes(octets[:-9]), "flipped": bytes(octets), "empty": b""}[damage])
    with pytest.raises(CorruptCache, match=rf"{name} is damaged.*Delete the folder .*shop-.* and run again"):
        shop.load(f'[interactions]\nfile = "log.csv"\n{shop.rules}')


def test_settings_are_refused_where_there_is_no_generator(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes no settings"):
        load_dataset("movielens-1m:seed=3", cache=tmp_path, data_root=None)
    with pytest.raises(DataError, match="bench run --method ann --dataset mnist"):
        load_dataset("mnist", cache=tmp_path, data_root=None)


def test_a_full_disk_is_said_and_leaves_nothing(shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: LogWriter, columns: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LogWriter, "append", fail)
    with pytest.raises(DataError, match=r"shop-.* cannot be prepared: .*No space left on device.*--cache"):
        shop.simple(shop.csv())
    assert [path.suffix for path in (shop.folder / "cache" / "datasets").iterdir()] == [".lock"]


@pytest.mark.parametrize(("pattern", "said"), [("(", "no regular expression"), ("no group", "has no group")])
def test_a_pattern_that_cannot_be_used_names_its_feature(shop: Any, pattern: str, said: str) -> None:
    (shop.folder / "items.csv").write_text("i,name\na,Ant\n")
    items = '[items]\nfile = "items.csv"\nid = "i"\n[items.features]\n'
    items += f'y = {{kind = "categorical", column = "name", pattern = "{pattern}"}}\n'
    with pytest.raises(DataError, match=rf"\[items.features\] y: pattern = .* {said}"):
        shop.simple(shop.csv(), items)


def test_a_wrong_column_in_an_archive_names_the_archive_and_not_the_unpacked_copy(tmp_path: Path, shop: Any) -> None:
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.writestr("log.csv", "u,i,r,when\n1,2,5,7\n")
    with pytest.raises(DataError, match=r"log\.zip/log\.csv: there is no column 't'") as caught:
        shop.load(f'[interactions]\nfile = "log.zip"\nmember = "log.csv"\n{shop.rules}')
    assert "scratch" not in str(caught.value)
