"""What all tests share: where the real data lie, and skipping what needs data that are not here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE_THE_PROJECT = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test marked `data(name)` whose data set is absent, saying where it was looked for."""
    folder = find_data()
    for item in items:
        for marker in item.iter_markers("data"):
            absent = [name for name in marker.args if folder is None or not (folder / name).is_dir()]
            if absent:
                where = f"not in {folder}" if folder else f"set BENCH_DATA; there is no {BESIDE_THE_PROJECT}"
                item.add_marker(pytest.mark.skip(reason=f"needs the real data set {', '.join(absent)}: {where}"))


def find_data() -> Path | None:
    """The folder of real data sets: BENCH_DATA, else shared/data beside the project, else None."""
    named = os.environ.get("BENCH_DATA")
    folder = Path(named).resolve() if named else BESIDE_THE_PROJECT
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets; skips where there is none."""
    folder = find_data()
    if folder is None:
        pytest.skip(f"needs real data: set BENCH_DATA; there is no {BESIDE_THE_PROJECT}")
    return folder
