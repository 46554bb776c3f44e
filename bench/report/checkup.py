"""The state of this installation: versions, machine, folders, plugins."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import catalog
from bench.errors import BenchError
from bench.measure import machine
from bench.report import wording

PACKAGES = (
    "bench", "numpy", "pandas", "pyarrow", "polars", "scipy", "numba", "torch", "faiss-cpu", "hnswlib", "pluggy",
    "click", "rich", "rich-click", "pooch", "psutil", "safetensors", "threadpoolctl",
)  # fmt: skip


def render(cache: Path, results: Path, data_root: Path | None) -> tuple[RenderableType, list[str]]:
    """The page, and what is broken, a line each."""
    broken = list(broken_plugins())
    parts = [
        _section("Machine", _machine()),
        _section("Versions", [(name, version(name)) for name in PACKAGES]),
        _section("Folders", _folders(cache, results, data_root)),
        _section("Plugins", _plugins()),
    ]
    if broken:
        parts.append(Text("\nNot in order:", "bold red"))
        parts += [Text(f"✗ {line}", "red") for line in broken]
    else:
        parts.append(Text("\nAll in order.", "green"))
    return Group(*parts), broken


def version(package: str) -> str:
    """The installed version of a distribution."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def broken_plugins() -> Iterator[str]:
    """The error of each plugin that cannot be used."""
    for group in (catalog.METHODS, catalog.WRAPPERS, catalog.DATASETS, catalog.METRICS):
        try:
            known = catalog.entries(group)
        except BenchError as error:
            yield str(error)
            continue
        for name, entry in known.items():
            try:
                if group == catalog.METHODS:
                    catalog.method_class(name)
                elif group != catalog.DATASETS:
                    entry.load()
            except BenchError as error:
                yield str(error)
    from bench.data.cards import card_paths, find_card

    try:
        names = list(card_paths())
    except BenchError as error:
        yield str(error)
        return
    for name in names:
        try:
            find_card(name)
        except BenchError as error:
            yield str(error)


def folder_size(folder: Path) -> tuple[int, int]:
    """Bytes and number of the files below a folder."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(sizes), len(sizes)


def _machine() -> list[tuple[str, str]]:
    found = machine.describe()
    return [
        ("processor", f"{found['cpu']}"),
        ("cores", f"{found['cores']}, {found['threads']} threads usable"),
        ("memory", wording.size(found["memory_bytes"])),
        ("GPU", "; ".join(found["gpu"]) or "none found (nvidia-smi)"),
        ("system", f"{found['system']}, Python {found['python']}"),
    ]


def _folders(cache: Path, results: Path, data_root: Path | None) -> list[tuple[str, str]]:
    rows = [("cache", f"{cache}" if cache.is_dir() else f"{cache} (nothing there yet)")]
    for folder in sorted(cache.iterdir()) if cache.is_dir() else []:
        if folder.is_dir():
            size, files = folder_size(folder)
            rows.append((f"  {folder.name}", f"{wording.size(size)} in {files:,} files"))
    runs = len(list((results / "runs").glob("*/*/result.json")))
    rows.append(("results", f"{results.resolve()}: {runs} runs"))
    rows.append(("data root", str(data_root) if data_root else "none (--data-root or BENCH_DATA names one)"))
    return rows


def _plugins() -> list[tuple[str, str]]:
    rows = []
    groups = {"methods": catalog.METHODS, "around them": catalog.WRAPPERS}
    groups |= {"data sets": catalog.DATASETS, "metrics": catalog.METRICS}
    for noun, group in groups.items():
        try:
            names = ", ".join(f"{name} ({entry.distribution})" for name, entry in catalog.entries(group).items())
        except BenchError as error:
            names = str(error)
        rows.append((noun, names or "none"))
    return rows


def _section(title: str, rows: list[tuple[str, str]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(f"  {name}", value)
    return Group(Text(f"\n{title}", "bold"), table)
