"""A fresh process that carries out a job: `python -m bench.run.worker JOB.json EVENTS_FD PARENT_PID`."""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from time import monotonic
from typing import Any

from bench.run.job import Job

PROGRESS_SECONDS = 0.1
PR_SET_PDEATHSIG = 1


class Events:
    """The worker's voice: one JSON object a line into the harness's pipe."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "w", encoding="utf-8")
        self._last = 0.0

    def send(self, event: str, **fields: Any) -> None:
        self._pipe.write(json.dumps({"event": event, **fields}) + "\n")
        self._pipe.flush()

    def progress(self, done: float, total: float, note: str = "") -> None:
        now = monotonic()
        if done >= total or now - self._last >= PROGRESS_SECONDS:
            self._last = now
            self.send("progress", done=float(done), total=float(total), note=note)


def die_with(parent: int) -> None:
    """End when the harness ends, however it ends (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the harness has ended")


def forbid(folder: Path, allowed: set[Path]) -> None:
    """Refuse to open any file below `folder` that is not below one of `allowed` (a set that may shrink later)."""
    root = str(folder.resolve()) + os.sep

    def guard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if path.startswith(root) and not any(path.startswith(str(one.resolve()) + os.sep) for one in allowed):
                raise PermissionError(f"a worker of this phase may not read {path}")

    sys.addaudithook(guard)


def main(arguments: list[str]) -> int:
    """Exit code 0 when the job is done or its failure was told, 1 when not even that was possible."""
    path, descriptor, parent = Path(arguments[0]), int(arguments[1]), int(arguments[2])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    events = Events(descriptor)
    try:
        from bench.run.phases import carry_out

        carry_out(Job.read(path), events)
    except BaseException as error:
        trace = traceback.format_exc()
        sys.stderr.write(trace)
        message = str(error) or repr(error)
        events.send("failed", kind=type(error).__name__, message=message, traceback=trace)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
