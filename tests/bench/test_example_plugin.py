"""A third party's method: one file, two lines of toml, really installed and run."""

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from bench.catalog import method_class
from bench.testing import check_method

EXAMPLE = Path(__file__).resolve().parents[1] / "example_plugin"
RUN = ("--dataset", "synthetic:items=500,interactions=10000", "--timing", "none", "--k", "20")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A fresh environment that sees this one's packages, with the example plugin installed; needs no network."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    bin_ = folder / "bin"
    site = Path(subprocess.check_output([bin_ / "python", "-c", SITE], text=True).strip())
    here = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    # addsitedir, and not a bare path, so that this environment's own .pth files (editable installs) count too
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(here)]
    (site / "this_environment.pth").write_text("\n".join(lines) + "\n")
    source = shutil.copytree(
        EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    )
    command = [bin_ / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return bin_


SITE = "import sysconfig; print(sysconfig.get_path('purelib'))"


def _bench(environment, folder, *arguments):
    command = [environment / "python", "-m", "bench", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_example_is_small():
    assert len((EXAMPLE / "lsh_plugin.py").read_text().splitlines()) < 40


def test_an_installed_plugin_is_listed(environment, tmp_path):
    assert "lsh" in _bench(environment, tmp_path, "list", "methods")


def test_an_installed_plugin_runs(environment, tmp_path):
    record = tmp_path / "record.json"
    folders = ("--results", tmp_path / "results", "--cache", tmp_path / "cache", "--json", record)
    _bench(environment, tmp_path, "run", "--method", "lsh", *RUN, *folders)
    result = json.loads(record.read_text())
    assert result["status"] == "ok"
    assert result["method"]["name"] == "lsh"
    assert 0 < result["metrics"]["recall@20"]["value"] <= 1


def test_a_file_keeps_the_contract_without_being_installed():
    check_method(method_class(f"{EXAMPLE / 'lsh_plugin.py'}:LSH"), {"bits": 64})
