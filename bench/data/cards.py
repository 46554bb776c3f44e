"""Cards: what a data set is, where it comes from and how it is prepared. Written in TOML, read by bench.data.cardfile.

Which cards exist: the entry points of group bench.datasets name importable packages; each *.toml in such a package's
folder is a card called like the file. "path/to/card.toml" names one that is not installed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import catalog as plugins
from bench.errors import UnknownName, UsageError

ROLES = ("user", "item", "time", "rating", "behaviour", "order")
DISTANCES = ("euclidean", "cosine", "inner product")
TIME_UNITS = ("seconds", "milliseconds", "microseconds", "nanoseconds", "date", "periods")
KINDS = ("categorical", "multi", "numeric", "text")
FORMATS = ("csv", "tsv", "dat", "jsonl", "parquet")
ROW_ORDER = "#row"  # order = "#row": the rows of the file are in order


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be fetched: urls are tried in order; checksum is "md5:..." or "sha256:...", None if unknown."""

    name: str
    urls: tuple[str, ...] = ()
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One form of a table. member: the path inside an archive; columns: the names where the file has no header.

    names: role -> column. separator may have several characters; quote "" for files without quoting.
    """

    file: str
    format: str
    names: Mapping[str, str]
    member: str | None = None
    separator: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureRule:
    """How one feature is made. kind: see KINDS; columns: several for a one-hot "multi" feature.

    separator splits a multi-valued text; pattern: a regular expression whose first group is the value.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    separator: str | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table in one or several alternative forms that must give the same prepared arrays."""

    sources: tuple[Source, ...]
    features: tuple[FeatureRule, ...] = ()
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Generator:
    """Data from a function: "module:function" and the defaults of its parameters."""

    function: str
    parameters: Mapping[str, int | float | str]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Vectors for index-only tasks: what to search (`train`), what to ask (`test`), the nearest of each (`neighbors`).

    file: an .npz or .hdf5 file, whose arrays the others name; "" where each is a file of its own: .npy, .fvecs, .ivecs,
    .bvecs.
    """

    file: str
    train: str
    test: str
    neighbors: str | None
    distance: str


@dataclass(frozen=True, slots=True)
class Card:
    """A data set's card.

    protocol: what `bench run` takes when none is asked for; note: what a reader should know; keep: the positive rule
    ("rating >= 4"); k_core: least interactions (a user, an item), applied until nothing changes; time_unit: see
    TIME_UNITS; time_format: strptime's, "" for ISO dates. folder: where a card that is not installed lies.
    """

    name: str
    title: str
    home: str = ""
    licence: str = ""
    citation: str = ""
    protocol: str | None = None
    note: str = ""
    files: Mapping[str, File] = field(default_factory=dict)
    interactions: Table | None = None
    items: Table | None = None
    users: Table | None = None
    keep: str = ""
    k_core: tuple[int, int] = (0, 0)
    behaviours: tuple[str, ...] = ()
    time_unit: str = "seconds"
    time_format: str = ""
    generator: Generator | None = None
    vectors: Vectors | None = None
    folder: Path | None = None
    content: Mapping[str, Any] = field(default_factory=dict)  # the parsed TOML

    @property
    def time(self) -> str:
        """What timestamps mean: "seconds", "periods" (coarse), "order" (none, but rows are in order) or "none"."""
        if self.generator is not None:
            return "seconds"
        names = self.interactions.sources[0].names if self.interactions else {}
        if "time" in names:
            return "periods" if self.time_unit == "periods" else "seconds"
        return "order" if "order" in names else "none"


def card_paths() -> dict[str, Path]:
    """The installed cards, by name; nothing is imported or parsed."""
    found: dict[str, Path] = {}
    for entry in plugins.entries(plugins.DATASETS).values():
        package = entry.target.partition(":")[0]
        try:
            spec = importlib.util.find_spec(package)
        except ImportError:
            spec = None
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(folder).glob("*.toml")):
                if path.stem in found and found[path.stem] != path:
                    raise UsageError(
                        f"two cards are called {path.stem!r}: {found[path.stem]} and {path}. Rename one of them."
                    )
                found[path.stem] = path
    return dict(sorted(found.items()))


def find_card(name: str) -> Card:
    """The card of an installed data set, or of "path/to/card.toml"; settings after ":" are left aside."""
    from bench.data.cardfile import read_card  # cardfile needs the classes above

    base, _ = split_name(name)
    if base.endswith(".toml"):
        path = Path(base).expanduser().resolve()
        if not path.is_file():
            raise UsageError(f"there is no card {path}")
        return read_card(path, folder=path.parent)
    known = card_paths()
    if base not in known:
        if Path(base).is_file():
            raise UsageError(f"{base} is a file and no data set: give it by --data {base}, or write a card for it")
        raise UnknownName("data set", base, known)
    return read_card(known[base])


def split_name(name: str) -> tuple[str, dict[str, str]]:
    """ "synthetic:items=1000,seed=3" as its name and its settings."""
    base, colon, text = name.partition(":")
    settings: dict[str, str] = {}
    for part in text.split(",") if colon else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"data set {name!r}: {part!r} is no setting; write NAME:key=value,key=value")
        settings[key.strip()] = value.strip()
    return base, settings
