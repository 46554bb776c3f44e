import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench import Ragged, Requests
from bench.measure import latency, machine, memory, threads
from bench.measure.competing import Competing, _others

REQUESTS = Requests(keys=np.arange(3), users=np.full(3, -1, np.int32), history=Ragged.empty(3), exclude=Ragged.empty(3))


def test_every_request_is_called_alone_and_every_call_is_kept():
    calls = []

    def query(requests, k, context):
        calls.append((len(requests), int(requests.keys[0]), k))
        time.sleep(0.0005)

    measured = latency.closed_loop(query, lambda **_: None, REQUESTS, 7, None, least=120, shortest=0.0)
    assert len(measured.rows) == len(measured.nanoseconds) == len(measured.floor) == 120
    assert measured.rows[:4].tolist() == [0, 1, 2, 0]
    assert 0 < np.median(measured.floor) < 100_000
    assert {call[0] for call in calls} == {1}
    assert {call[1] for call in calls} == {0, 1, 2}
    said = latency.summary(measured.nanoseconds)
    assert 0.5 <= said["p50"] <= said["p95"] <= said["p99"]
    assert said["mean"] == pytest.approx(measured.nanoseconds.mean() / 1e6)


def test_a_slow_method_is_stopped_by_the_clock_after_a_hundred_calls():
    slow, nothing = (lambda **_: time.sleep(0.001)), (lambda **_: None)
    measured = latency.closed_loop(slow, nothing, REQUESTS, 1, None, least=10_000, seconds=0.05)
    assert 100 <= len(measured.rows) < 10_000


def test_no_request_no_latency():
    nothing = lambda **_: None  # noqa: E731
    assert len(latency.closed_loop(nothing, nothing, REQUESTS[0:0], 1, None).rows) == 0


def test_batch_repetitions_are_all_kept():
    spent = latency.batch(lambda **_: time.sleep(0.002), REQUESTS, 1, None, least=3, seconds=0.01)
    assert len(spent) >= 3
    assert (spent >= 0.002).all()


def test_a_block_is_held_to_its_threads():
    before = os.sched_getaffinity(0)
    with threads.limited(1):
        assert len(os.sched_getaffinity(0)) == 1
        assert all(len(os.sched_getaffinity(int(task.name))) == 1 for task in Path("/proc/self/task").iterdir())
    assert os.sched_getaffinity(0) == before


def test_the_peak_is_that_of_the_time_since_the_reset():
    memory.reset_peak()
    start = memory.peak_rss_bytes()
    block = np.ones(128 << 20, np.uint8)
    assert memory.peak_rss_bytes() - start > 64 << 20  # libraries give back memory of earlier tests meanwhile
    del block
    memory.reset_peak()
    assert memory.peak_rss_bytes() < start + (16 << 20)
    assert memory.anonymous_bytes(os.getpid()) > 1 << 20
    assert memory.anonymous_bytes(999_999_999) == 0


def test_children_count_as_ones_own_in_memory_and_are_no_other_work(monkeypatch):
    program = (
        "block = bytearray(200 << 20); print(flush=True); input(); sum(range(20_000_000)); print(flush=True); input()"
    )
    now = psutil.cpu_times()
    monkeypatch.setattr(psutil, "cpu_times", lambda: now)  # nobody else works
    before = memory.peak_rss_bytes()
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        assert memory.peak_of(child.pid) > 200 << 20
        assert memory.peak_rss_bytes() > before + (200 << 20)
        with Competing() as competing:
            others = competing._before
            child.stdin.write(b"\n")
            child.stdin.flush()
            child.stdout.readline()
            assert _others() <= others - 0.1  # what the child spent is taken off
        assert competing.cores == 0
        child.stdin.write(b"\n")
    assert memory.peak_of(999_999_999) == 0


def test_what_a_call_gives_and_takes():
    value, seconds = latency.spent(lambda: time.sleep(0.05) or 7)
    assert value == 7 and 0.05 <= seconds < 2
    assert latency.spread(np.array([1.0, 2.0, 3.0]))["p50"] == 2


def test_the_machine_is_described():
    said = machine.describe()
    assert said["cpu"]
    assert said["threads"] >= 1
    assert said["libraries"]["numpy"] == np.__version__
    assert machine.git_state(Path("/")) == {}
