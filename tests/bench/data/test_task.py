"""A task's folder: its fingerprint, what it says of itself, and damage."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest

from bench.data.conventions import Conventions
from bench.data.freezing import prepare_task
from bench.data.protocols import parse
from bench.data.storage import ArrayReader
from bench.data.task import Task
from bench.errors import CorruptCache, DataError, ParameterError, Unavailable, UnknownName, UsageError


class Truth:
    """A simulator's preferences, for these tests."""

    def __init__(self, parameters, items):
        self.parameters, self.items = parameters, items


def rows(ragged):
    return [row.tolist() for row in ragged]


def test_the_simulators_truth_is_found_by_name(prepare, monkeypatch):
    monkeypatch.setitem(sys.modules, "made_simulator", type("module", (), {"Truth": Truth}))
    fields = {"described": [], "items": 4}
    known = {"target": "made_simulator:Truth", "parameters": {"seed": 3}}
    truth = prepare([[3, 1, 2], [2, 3, 0]], "leave-last-out", preferences=known, **fields).preferences()
    assert truth.parameters == {"seed": 3} and truth.items.tolist() == [2, 3, 0, 1]
    assert prepare([[3, 1, 2]], "leave-last-out", name="real").preferences() is None
    lost = prepare([[3, 1, 2]], "leave-last-out", name="lost", preferences={"target": "nowhere:X", "parameters": {}})
    with pytest.raises(Unavailable, match="nowhere:X, which cannot be imported"):
        lost.preferences()


def test_the_folder_is_found_again_and_the_fingerprint_follows_content_and_rules(make_dataset, tmp_path):
    data = make_dataset([[0, 1, 2, 3], [3, 2, 1, 0, 4]])
    protocol, conventions = parse("leave-last-out"), Conventions()
    task = prepare_task(data, protocol, conventions, cache=tmp_path / "a")
    again = prepare_task(data, protocol, conventions, cache=tmp_path / "a")
    elsewhere = prepare_task(data, protocol, conventions, cache=tmp_path / "b")
    assert again.folder == task.folder and again.fingerprint == task.fingerprint == elsewhere.fingerprint
    renamed = prepare_task(dataclasses.replace(data, name="other"), protocol, conventions, cache=tmp_path / "a")
    assert renamed.folder != task.folder and renamed.fingerprint == task.fingerprint
    assert renamed.about["dataset"] == "other"
    other_data = make_dataset([[0, 1, 2, 3], [3, 2, 1, 4, 0]])
    others = [
        prepare_task(other_data, protocol, conventions, cache=tmp_path / "a"),
        prepare_task(data, parse("leave-last-out:seed=1"), conventions, cache=tmp_path / "a"),
        prepare_task(data, protocol, Conventions(recall_over="min_k"), cache=tmp_path / "a"),
    ]
    assert len({one.fingerprint for one in [task, *others]}) == 4


def test_targets_lie_in_folders_of_their_own(prepare):
    task = prepare([[0, 1, 2, 3], [3, 2, 1, 0, 4]], "leave-last-out")
    shutil.rmtree(task.folder / "targets" / "test")
    blind = Task(task.folder, task.fingerprint, task.about, task._layout, task._arrays)
    assert len(blind.training().validation.targets) == 2  # validation targets are at hand
    shutil.rmtree(task.folder / "targets")
    assert blind.catalog().size == 5 and len(blind.requests("test")) == len(blind.requests("validation")) == 2
    with pytest.raises(CorruptCache, match="it is missing"):
        blind.targets("test")
    with pytest.raises(CorruptCache, match="it is missing"):
        blind.training()


def test_a_damaged_task_is_named_with_the_mend(prepare):
    sequences = [[0, 1, 2, 3], [3, 2, 1, 0, 4]]
    task = prepare(sequences, "leave-last-out")
    path = task.folder / "query" / "test" / "history.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        CorruptCache, match=rf"history\.npy is damaged: .* Delete the folder {task.folder} and run again"
    ):
        prepare(sequences, "leave-last-out")
    shutil.rmtree(task.folder)
    path = prepare(sequences, "leave-last-out").folder / "targets" / "test" / "targets.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x07")  # as long as before
    with pytest.raises(CorruptCache, match=r"targets\.npy is damaged: its content has changed"):
        prepare(sequences, "leave-last-out")
    (task.folder / "task.json").write_text('{"fingerprint": ')
    with pytest.raises(CorruptCache, match=r"task\.json is damaged: it cannot be read"):
        Task.open(task.folder)
    (task.folder / "task.json").write_text("[]")
    with pytest.raises(CorruptCache, match=r"task\.json is damaged"):
        Task.open(task.folder)
    shutil.rmtree(task.folder)
    with pytest.raises(CorruptCache, match=r"task\.json is damaged: it is missing"):
        Task.open(task.folder)
    assert prepare(sequences, "leave-last-out").fingerprint == task.fingerprint


def test_a_failure_leaves_no_folder(prepare, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bench.data.storage.ArrayWriter.texts", full)
    with pytest.raises(DataError, match=r"No space left on device.*--cache"):
        prepare([[0, 1, 2, 3]], "leave-last-out")
    assert [path.name for path in (tmp_path / "tasks").iterdir() if path.is_dir()] == []


def test_words_that_do_not_fit_are_refused(prepare, make_dataset, tmp_path):
    with pytest.raises(ParameterError, match=r"seen=sometimes is not allowed: filtered"):
        Conventions(seen="sometimes")
    with pytest.raises(UnknownName, match="Known: test, validation"):
        prepare([[0, 1, 2]], "leave-last-out").requests("train")
    with pytest.raises(UsageError, match="loaded with ties=hash"):
        prepare_task(make_dataset([[0, 1, 2]]), parse("leave-last-out"), Conventions(ties="file"), cache=tmp_path)


def test_about_is_json_and_says_what_a_result_needs(prepare):
    task = prepare([[0, 1, 2, 3], [3, 2, 1, 0, 4]], "leave-last-out")
    said = json.loads((task.folder / "task.json").read_text())["about"]
    assert said == task.about
    assert said["protocol"] == {"name": "leave-last-out", "parameters": {"users": 0, "min_interactions": 3, "seed": 0}}
    assert (said["items"], said["interactions"], said["interactions_total"], said["users"]) == (5, 5, 9, 2)
    assert said["dataset"] == "made" and said["title"] == "Made by hand" and said["label"] == "title"


def test_opening_maps_only_what_is_asked_for(prepare, monkeypatch):
    task = prepare([[0, 1, 2, 3], [3, 2, 1, 0, 4]], "leave-last-out")
    opened = []
    read = ArrayReader.array
    monkeypatch.setattr(ArrayReader, "array", lambda self, name: opened.append(name) or read(self, name))
    Task.open(task.folder).popularity()
    assert opened == ["items/popularity"]


GUARDED = """
import sys
from pathlib import Path
from bench.data.task import Task

folder = Path(sys.argv[1])
task = Task.open(folder)

def guard(event, arguments):
    if event == "open" and str(arguments[0]).startswith(str(folder / "targets" / "test")):
        raise PermissionError(arguments[0])

sys.addaudithook(guard)
assert len(task.training().validation.targets) and len(task.requests("test"))
assert task.catalog().features and task.popularity().sum() and task.labels([0])
try:
    task.targets("test")
except PermissionError:
    print("denied")
"""


def test_an_audit_hook_can_deny_the_test_targets_and_nothing_else_needs_them(prepare):
    task = prepare([[0, 1, 2, 3], [3, 2, 1, 0, 4]], "leave-last-out")
    done = subprocess.run([sys.executable, "-c", GUARDED, task.folder], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("denied\n", "")
