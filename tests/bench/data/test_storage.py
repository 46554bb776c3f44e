"""Arrays in a folder: the round trip, the digest, and files that are damaged."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data.ragged import Ragged
from bench.data.storage import ArrayReader, ArrayWriter, Texts
from bench.data.tables import Categorical, MultiCategorical, Numeric, Text
from bench.errors import CorruptCache


@given(st.lists(st.text()))
def test_texts_come_back_as_they_were(texts):
    packed = Texts.pack(texts)
    assert list(packed) == texts and len(packed) == len(texts)
    assert packed[:2] == texts[:2] and packed[-1:] == texts[-1:]
    assert list(packed.prefix(1)) == texts[:1]
    backwards = np.arange(len(texts))[::-1]
    assert list(packed.take(backwards)) == texts[::-1]


def test_texts_know_their_ends():
    packed = Texts.pack(["a", "blåhvit"])
    assert packed[-1] == "blåhvit" and "a" in packed
    with pytest.raises(IndexError):
        packed[2]


def test_an_arrow_column_can_be_packed():
    assert list(Texts.pack(pa.array(["a", "", "ø"]))) == ["a", "", "ø"]


def test_features_come_back_as_they_were(tmp_path):
    features = {
        "a/b": Categorical(np.array([0, -1], np.int32), ["x"]),
        "many": MultiCategorical(Ragged.from_rows([[], [1, 0]]), ["p", "q"]),
        "number": Numeric(np.array([1.5, np.nan], np.float32)),
        "title": Text(["", "Ærlig"]),
    }
    writer = ArrayWriter(tmp_path)
    layout = writer.features("features", features)
    read = ArrayReader(tmp_path, writer.sizes).features(layout)
    assert list(read) == list(features)
    assert read["a/b"].codes.tolist() == [0, -1] and list(read["a/b"].names) == ["x"]
    assert [row.tolist() for row in read["many"].codes] == [[], [1, 0]]
    np.testing.assert_array_equal(read["number"].values, features["number"].values)
    assert list(read["title"].values) == ["", "Ærlig"]


@pytest.mark.parametrize("array", [np.zeros(0, np.int32), np.zeros((0, 3), np.float32), np.arange(6.0).reshape(2, 3)])
def test_arrays_come_back_plain_and_read_only(tmp_path, array):
    writer = ArrayWriter(tmp_path)
    writer.array("deep/er/array", array)
    read = ArrayReader(tmp_path, writer.sizes).array("deep/er/array")
    assert type(read) is np.ndarray and read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    assert not read.flags.writeable


def test_the_fingerprint_follows_content_names_and_rules_and_nothing_else(tmp_path):
    def fingerprint(folder, arrays, rules=None):
        writer = ArrayWriter(tmp_path / folder)
        for name, array in arrays.items():
            writer.array(name, array)
        return writer.fingerprint(rules or {"a": 1, "b": 2})

    one, two = np.arange(3), np.arange(4)
    base = fingerprint("a", {"one": one, "two": two})
    assert fingerprint("b", {"two": two, "one": one}, {"b": 2, "a": 1}) == base
    assert fingerprint("c", {"one": two, "two": one}) != base
    assert fingerprint("d", {"one": one.astype(np.int32), "two": two}) != base
    assert fingerprint("e", {"one": one, "two": two}, {"a": 1, "b": 3}) != base
    assert fingerprint("f", {"one": one, "two": two.reshape(2, 2)}) != base


def test_damaged_files_are_named_with_the_mend(tmp_path):
    writer = ArrayWriter(tmp_path)
    writer.array("some/array", np.arange(100))
    path, reader = tmp_path / "some" / "array.npy", ArrayReader(tmp_path, writer.sizes)
    reader.verify()
    whole = path.read_bytes()
    path.write_bytes(whole[:-8])
    with pytest.raises(
        CorruptCache, match=r"array\.npy is damaged: it has 920 bytes instead of 928\. Delete the folder"
    ):
        reader.verify()
    with pytest.raises(CorruptCache, match="instead of"):
        reader.array("some/array")
    path.write_bytes(b"\0" * len(whole))
    with pytest.raises(CorruptCache, match="it is no array"):
        reader.array("some/array")
    path.write_bytes(whole[:8] + b"\xff" * (len(whole) - 8))
    with pytest.raises(CorruptCache, match="it is no array"):
        reader.array("some/array")
    path.unlink()
    with pytest.raises(CorruptCache, match="it is missing"):
        reader.verify()


def test_pickles_are_never_read(tmp_path):
    path = tmp_path / "array.npy"
    np.save(path, np.array([{}], object), allow_pickle=True)
    with pytest.raises(CorruptCache, match="it is no array"):
        ArrayReader(tmp_path, {"array.npy": path.stat().st_size}).array("array")
