"""An index on disk: killed while it is built, and built again."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = """
import os, signal, sys
from pathlib import Path
import numpy as np
from bench import Ragged, cache
from bench_dvf.structure import build

structure, folder, kill_at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
saved, save = 0, np.save

def fatal(*args, **settings):
    global saved
    saved += 1
    if saved == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)
    save(*args, **settings)

np.save = fatal
rng = np.random.default_rng(0)
vectors, items = rng.normal(size=(3000, 8)).astype(np.float32), np.arange(3000, dtype=np.int32)
met = Ragged.from_rows([np.sort(rng.choice(3000, 5, replace=False)) for _ in range(3000)])

def make(folder):
    build(
        structure, vectors, items, links=8, effort=0, covisits=met, covisited=2, seed=1, threads=2
    ).save(folder)

cache.build(folder, make)
"""


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("structure", ["layered", "hnsw"])
def test_an_index_that_was_killed_half_way_and_built_again_has_the_same_bytes(structure, tmp_path):
    def run(name, kill_at=0):
        return subprocess.run([sys.executable, "-c", BUILD, structure, tmp_path / name, str(kill_at)]).returncode

    assert run("whole") == 0
    assert run("killed", kill_at=3) == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    assert run("killed") == 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert len(files(tmp_path / "whole")) >= 5
