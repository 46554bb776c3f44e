import subprocess
import sys
import time

import pytest

from bench import cache


def test_a_folder_is_built_once_and_appears_whole(tmp_path):
    calls = []

    def make(folder):
        calls.append(folder)
        assert not (tmp_path / "made").exists()
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_text("x")

    for _ in range(2):
        assert (cache.build(tmp_path / "made", make) / "inner" / "file").read_text() == "x"
    assert len(calls) == 1


def test_a_failed_build_leaves_nothing(tmp_path):
    def make(folder):
        (folder / "half").write_text("x")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError):
        cache.build(tmp_path / "made", make)
    assert [path.name for path in tmp_path.iterdir()] == ["made.lock"]


def test_a_killed_builder_leaves_neither_folder_nor_lock(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from bench import cache\n"
        "def make(folder): (folder / 'half').write_text('x'); print('begun', flush=True); time.sleep(60)\n"
        "cache.build(Path(sys.argv[1]), make)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "made"], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"begun\n"
        process.kill()
    assert not (tmp_path / "made").exists()
    begun = time.monotonic()
    cache.build(tmp_path / "made", lambda folder: (folder / "whole").write_text("y"))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["whole"]
    assert time.monotonic() - begun < 10


def test_a_text_is_written_whole_or_not_at_all(tmp_path):
    cache.write_text(tmp_path / "a", "one")
    with pytest.raises(UnicodeEncodeError):
        cache.write_text(tmp_path / "a", "\ud800")
    assert (tmp_path / "a").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1
