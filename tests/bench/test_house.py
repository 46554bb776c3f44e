"""The rules that hold the house together (DESIGN: "Never")."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAMILIES = {path.name for path in (ROOT / "plugins").glob("bench_*")}
SHARED = {"bench_neural", "bench_index"}
HEAVY = {"torch", "faiss", "hnswlib", "usearch", "voyager", "svs", "scann", "ngtpy", "zvec"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def python_files(folder):
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("folder", ["datasets", "plugins", "results", "suites"])
def test_folders_that_would_shadow_other_packages_are_not_importable(folder):
    assert not (ROOT / folder / "__init__.py").exists()


def test_the_harness_imports_no_plugin_and_no_engine():
    for path in python_files("bench"):
        roots = {name.partition(".")[0] for name in imports(path)}
        assert not roots & (FAMILIES | HEAVY | {"bench_datasets"}), path


def test_a_plugin_imports_the_root_of_bench_and_no_other_family():
    for path in python_files("plugins"):
        own = path.relative_to(ROOT / "plugins").parts[0]
        for name in imports(path):
            root = name.partition(".")[0]
            assert root != "bench" or name == "bench", f"{path} imports {name}"
            assert root not in FAMILIES - SHARED - {own}, f"{path} imports {name}"


def test_only_the_command_line_reads_the_environment_variables_of_bench():
    for path in python_files("bench"):
        if path.name != "cli.py":
            text = path.read_text(encoding="utf-8")
            assert "getenv" not in text, path
            assert "environ[" not in text, path
            assert "environ.get" not in text, path


def test_nothing_loads_pickles_or_times_by_the_wall_clock():
    for folder in ("bench", "plugins", "datasets"):
        for path in python_files(folder):
            text = path.read_text(encoding="utf-8")
            for word in ("allow_pickle=True", "pickle.load", "torch.load(", "time.time()"):
                assert word not in text, f"{path}: {word}"


def test_no_file_is_longer_than_a_reader_holds():
    for folder in ("bench", "plugins", "datasets"):
        for path in python_files(folder):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 320, path


def test_importing_bench_is_cheap():
    program = "import sys, bench; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY.union({"numba", "pandas", "polars"}) & set(done.stdout.split())
