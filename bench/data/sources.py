"""Where a card's files are: under data_root, beside the card, among earlier downloads, or at their owner's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.context import Progress
from bench.data.archives import unpacked
from bench.data.cards import Card, File, Source, Table
from bench.data.downloads import Unreachable, download
from bench.data.sums import check_not_empty, check_sum
from bench.errors import DataError


@dataclass(frozen=True, slots=True)
class Located:
    """One form of a table, found as a file on this machine. packed: `path` is the archive, not its member."""

    source: Source
    path: Path
    packed: bool

    def signature(self) -> list[str | int]:
        """What changes when the file does: path, size and time of change."""
        stat = self.path.stat()
        return [str(self.path), stat.st_size, stat.st_mtime_ns]

    def opened(self, scratch: Path) -> Path:
        """The table's own file, unpacked under `scratch` where it lies in an archive."""
        return unpacked(self.path, self.source.member, scratch) if self.packed else self.path


def folders(card: Card, data_root: Path | None, cache: Path) -> list[Path]:
    """Where the card's files are looked for, in order."""
    places = [data_root / card.name, data_root] if data_root else []
    return [*places, *([card.folder] if card.folder else []), cache / "downloads" / card.name]


def find_local(table: Table, places: Iterable[Path]) -> Located | None:
    """The first form of the table that lies in one of `places`: its file, or its archive's member already unpacked."""
    for place in places:
        for source in table.sources:
            if (place / source.file).is_file():
                return Located(source, (place / source.file).resolve(), packed=True)
            if source.member is not None:
                for name in (source.member, Path(source.member).name):
                    if (place / name).is_file():
                        return Located(source, (place / name).resolve(), packed=False)
    return None


def find_table(card: Card, table: Table, *, data_root: Path | None, cache: Path, progress: Progress | None) -> Located:
    """The table's file, downloaded where it is not on this machine. Raises DataError with the mend."""
    places = folders(card, data_root, cache)
    found = find_local(table, places)
    if found is None:
        found = _fetched(card, table, places, cache, progress)
    check_not_empty(found.path)
    return found


def verify(card: Card, found: Located, cache: Path) -> None:
    """Check the file's sum, where the card or the first download recorded one. Raises ChecksumMismatch."""
    file = card.files.get(found.source.file)
    recorded = found.path.with_name(found.path.name + ".sum")
    own = found.path.is_relative_to((cache / "downloads").resolve())
    expected = file.checksum if file and found.path.name == file.name else None
    if expected is None and own and recorded.is_file():
        expected = recorded.read_text(encoding="utf-8").strip()
    if expected:
        mend = "Delete it: it is downloaded again." if own else "Replace it by the owner's file, or move it away."
        check_sum(found.path, expected, mend)


def _fetched(card: Card, table: Table, places: list[Path], cache: Path, progress: Progress | None) -> Located:
    files = {source.file: card.files.get(source.file, File(source.file)) for source in table.sources}
    names = " or ".join(files)
    absent = f"{card.name} needs {names}, which is not on this machine (looked in {', '.join(map(str, places))})"
    mend = f"Put {names} into {places[0]}" + ("" if len(places) > 1 else " or name its folder by --data-root")
    for source in table.sources:
        if files[source.file].urls:
            try:
                path = download(files[source.file], cache / "downloads" / card.name, progress)
            except Unreachable as error:
                raise DataError(f"{absent}: {error} {mend}, or connect to the network and run again.") from error
            return Located(source, path.resolve(), packed=True)
    about = f" {card.note.rstrip('.')}." if card.note else ""
    raise DataError(f"{absent} and has no public address.{about} {mend}; see {card.home or 'its owner'}.")
