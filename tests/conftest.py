"""What all tests share: where the real data lie, and skipping what needs data that are not here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE_THE_PROJECT = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test marked `data(name)` whose data set is absent, saying where it was looked for."""
    folder = data_folder()
    for item in items:
        names = [name for marker in item.iter_markers("data") for name in marker.args]
        absent = [name for name in names if not (folder / name).is_dir()]
        if absent:
            item.add_marker(
                pytest.mark.skip(reason=f"{', '.join(absent)} is not in {folder}; BENCH_DATA names another")
            )


def data_folder() -> Path:
    """The folder of real data sets, there or not: BENCH_DATA, else shared/data beside the project."""
    named = os.environ.get("BENCH_DATA")
    return Path(named).resolve() if named else BESIDE_THE_PROJECT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets; skips where there is none."""
    folder = data_folder()
    if not folder.is_dir():
        pytest.skip(f"there is no folder {folder} of real data; BENCH_DATA names another")
    return folder
