"""A method in a process of its own: asked as if it were here, ended with whoever asks, and missed when it dies."""

import logging
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench import Context
from bench.errors import ParameterError, WorkerCrashed
from bench.run.parts import Beginning, InProcess, OwnProcess, Question

METHOD = '''
import os, time
from dataclasses import dataclass
import numpy as np
from bench import Answer, ParameterError, hookimpl, param

@dataclass
class Mine:
    """Answers its own number, and can be told to misbehave."""

    number: int = param(3, help="what it answers")
    fault: str = param("", phase="query", help="what goes wrong")

    @hookimpl
    def train(self): ...

    @hookimpl
    def index(self): ...

    @hookimpl
    def load(self, folder, phase):
        self.number = int((folder / "number.txt").read_text())

    @hookimpl
    def query(self, requests, k, context):
        if self.fault == "raise": raise ValueError("seven is no prime here")
        if self.fault == "refuse": raise ParameterError("k is too much")
        if self.fault == "die": os._exit(7)
        time.sleep(0.05)
        return self.number, k, context.threads, context.seed, str(context.scratch), float(context.rng.random())
'''

PARENT = """
import logging, pathlib, time
import numpy as np
from bench import Context, parts

lent = Context(0, np.random.default_rng(0), "cpu", 1, pathlib.Path("."), None, logging.getLogger("x"))
part = parts.OwnProcess("x", parts.Beginning({method!r}, {{}}, {{}}, 0, 1), lent)
part.reply()
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def method(tmp_path):
    (tmp_path / "mine.py").write_text(METHOD)
    return f"{tmp_path}/mine.py:Mine"


@pytest.fixture
def context(tmp_path):
    return Context(5, np.random.default_rng(5), "cpu", 2, tmp_path, lambda *_: None, logging.getLogger("test"))


ASKED = {"requests": None, "k": 4}


def test_it_loads_and_answers_with_the_context_that_is_lent(method, context, tmp_path):
    (tmp_path / "number.txt").write_text("9")
    begun = [
        OwnProcess(f"part {at}", Beginning(method, {"number": 1}, {"index": str(tmp_path)}, at, 2), context)
        for at in (0, 1)
    ]
    with closing(begun[0]), closing(begun[1]):
        for part in begun:
            assert part.reply().value is None
            part.ask(Question("query", ASKED, context))
        replies = [part.reply() for part in begun]
        assert [reply.value[:5] for reply in replies] == [(9, 4, 2, 5, str(tmp_path))] * 2
        assert replies[0].value[5] != replies[1].value[5]  # random numbers of their own
        assert all(0.05 <= reply.seconds < 5 for reply in replies)
        assert all(part.peak_rss_bytes > 10 << 20 for part in begun)
        begun[0].ask(Question("query", ASKED, context))
        assert begun[0].reply().value[0] == 9


def test_here_it_answers_likewise(method, context):
    from bench.catalog import method_class

    part = InProcess(method_class(method)(number=2))
    part.ask(Question("query", ASKED, context))
    reply = part.reply()
    assert reply.value[:2] == (2, 4) and reply.seconds >= 0.05 and part.peak_rss_bytes == 0


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        ("raise", WorkerCrashed, "shard 1: ValueError: seven is no prime here"),
        ("refuse", ParameterError, "shard 1: k is too much"),
        ("die", WorkerCrashed, "shard 1 ended without a reply, with exit code 7"),
    ],
)
def test_a_failure_names_the_part(method, context, fault, kind, said):
    with closing(OwnProcess("shard 1", Beginning(method, {"fault": fault}, {}, 0, 1), context)) as part:
        part.reply()
        part.ask(Question("query", ASKED, context))
        with pytest.raises(kind, match=said):
            part.reply()


def test_a_killed_part_is_a_named_error(method, context):
    with closing(OwnProcess("shard 1", Beginning(method, {}, {}, 0, 1), context)) as part:
        part.reply()
        next(each for each in psutil.Process().children() if "bench.run.part" in each.cmdline()).kill()
        part.ask(Question("query", ASKED, context))
        with pytest.raises(WorkerCrashed, match=r"shard 1 was killed \(signal 9\)"):
            part.reply()


def test_a_part_that_cannot_load_says_so(method, context, tmp_path):
    part = OwnProcess("shard 1", Beginning(method, {}, {"index": str(tmp_path)}, 0, 1), context)
    with closing(part), pytest.raises(WorkerCrashed, match=r"shard 1: FileNotFoundError: .*number\.txt"):
        part.reply()


def test_parts_end_with_a_killed_parent(method, tmp_path):
    program = tmp_path / "parent.py"
    program.write_text(PARENT.format(method=method))
    path = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path}
    parent = subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, env=env)
    assert parent.stdout is not None
    with closing(parent.stdout):
        assert parent.stdout.readline() == b"ready\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert children
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
