"""items.arrow and users.arrow: raw ids and side information as an Arrow table, read memory-mapped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.data.features import texts_of
from bench.data.ragged import Ragged
from bench.data.storage import Texts, damaged
from bench.data.tables import Categorical, Feature, Features, MultiCategorical, Numeric, Text

_FEATURE = "feature: "


def write_table(
    path: Path, ids: Sequence[str], features: Features, extra: Mapping[str, NDArray[Any]]
) -> dict[str, str]:
    """Write one row an id; returns the sha256 of each column's content. extra: further columns by name."""
    columns: dict[str, pa.Array] = {"id": _text_array(ids)}
    columns |= {name: pa.array(values) for name, values in extra.items()}
    columns |= {_FEATURE + name: _feature_array(feature) for name, feature in features.items()}
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    contents: dict[str, Any] = {
        "id": _packed(ids),
        **extra,
        **{_FEATURE + name: one for name, one in features.items()},
    }
    return {name: _digest(content) for name, content in contents.items()}


def open_table(path: Path) -> tuple[Texts, dict[str, Feature], dict[str, NDArray[Any]]]:
    """Raw ids, features and further columns; raises CorruptCache."""
    try:
        with pa.memory_map(str(path)) as source:
            table = pa.ipc.open_file(source).read_all()
        arrays = {name: table[name].chunk(0) for name in table.column_names}
        features = {
            name.removeprefix(_FEATURE): _feature(array) for name, array in arrays.items() if name.startswith(_FEATURE)
        }
        ids = texts_of(arrays.pop("id"))
    except (pa.ArrowException, OSError, KeyError) as error:
        raise damaged(path, path.parent, str(error)) from error
    extra = {
        name: array.to_numpy(zero_copy_only=False) for name, array in arrays.items() if not name.startswith(_FEATURE)
    }
    return ids, features, extra


def _text_array(texts: Sequence[str]) -> pa.Array:
    packed = _packed(texts)
    buffers = [
        None,
        pa.py_buffer(np.ascontiguousarray(packed.offsets)),
        pa.py_buffer(np.ascontiguousarray(packed.octets)),
    ]
    return pa.Array.from_buffers(pa.large_string(), len(packed), buffers)


def _packed(texts: Any) -> Texts:
    """Texts, an Arrow text column or any sequence of str, packed."""
    if isinstance(texts, pa.Array | pa.ChunkedArray):
        return texts_of(texts.cast(pa.large_string()))
    return Texts.pack(texts)


def _named(codes: NDArray[np.int32], names: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), _text_array(names))


def _feature_array(feature: Feature) -> pa.Array:
    if isinstance(feature, Categorical):
        return _named(feature.codes, feature.names)
    if isinstance(feature, MultiCategorical):
        offsets = pa.array(np.asarray(feature.codes.offsets, np.int64))
        return pa.LargeListArray.from_arrays(offsets, _named(feature.codes.values, feature.names))
    return pa.array(feature.values) if isinstance(feature, Numeric) else _text_array(feature.values)


def _feature(array: pa.Array) -> Feature:
    if pa.types.is_dictionary(array.type):
        return Categorical(_codes(array), texts_of(array.dictionary))
    if pa.types.is_large_list(array.type):
        return MultiCategorical(
            Ragged(array.offsets.to_numpy(), _codes(array.values)), texts_of(array.values.dictionary)
        )
    return Numeric(array.to_numpy()) if pa.types.is_floating(array.type) else Text(texts_of(array))


def _codes(array: pa.Array) -> NDArray[np.int32]:
    indices = array.indices
    codes: NDArray[np.int32] = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    return codes


def _digest(content: Feature | NDArray[Any] | Sequence[str]) -> str:
    """sha256 over a column's content and kind."""
    parts: list[NDArray[Any]]
    if isinstance(content, Categorical):
        parts = [content.codes, *_parts(content.names)]
    elif isinstance(content, MultiCategorical):
        parts = [content.codes.offsets, content.codes.values, *_parts(content.names)]
    elif isinstance(content, Numeric):
        parts = [content.values]
    elif isinstance(content, np.ndarray):
        parts = [content]
    else:
        parts = _parts(content.values if isinstance(content, Text) else content)
    found = hashlib.sha256(type(content).__name__.encode())
    for part in parts:
        found.update(f"{part.dtype.str} {len(part)}".encode())
        found.update(np.ascontiguousarray(part).view(np.uint8).data)
    return found.hexdigest()


def _parts(texts: Sequence[str]) -> list[NDArray[Any]]:
    packed = _packed(texts)
    return [np.asarray(packed.offsets), packed.octets]
