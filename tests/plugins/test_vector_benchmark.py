"""The benchmark of the back ends, on a few items: that it runs to its end, and that both sides find the same."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_the_benchmark_of_the_back_ends_measures_them_and_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    command = [sys.executable, str(BENCHMARKS / "ann_backends.py"), "--items=2000", "--dim=16", "--requests=50"]
    command += [f"--json={file}", f"--scratch={tmp_path}"]
    subprocess.run([*command, "--backends=hnsw"], check=True, capture_output=True)
    done = subprocess.run([*command, "--backends=hnsw,ivf_pq"], check=True, capture_output=True, text=True)
    assert "hnsw: building" not in done.stderr and "| ivf_pq |" in done.stdout
    record = json.loads(file.read_text(encoding="utf-8"))
    for name, measured in record["backends"].items():
        recalls = [point["recall"] for point in measured["sweep"]]
        assert measured["index_bytes"] > 0 and max(recalls) > 0.95, name
        assert measured["paired"]["recall"]["harness"] == measured["paired"]["recall"]["library"]
        assert measured["paired"]["ratio"] > 0
    assert set(record["backends"]) == {"hnsw", "ivf_pq"}
