"""A fresh process that serves a part of a catalog: `python -m bench.run.part PIPE_FD`, begun by bench.run.parts."""

from __future__ import annotations

import contextlib
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from bench import params
from bench.catalog import method_class
from bench.context import Context
from bench.measure.latency import spent
from bench.run.parts import Beginning, InProcess, Question, Reply


def serve(pipe: Connection) -> None:
    """Load, then carry out what comes through the pipe until its other end is closed."""
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        beginning, lent = pipe.recv()
        rng = np.random.default_rng([lent.seed, beginning.number])
        try:
            part, seconds = spent(lambda: _begun(beginning, lent.context(rng, beginning.method)))
            pipe.send(Reply(None, seconds))
        except Exception as error:
            pipe.send(_told(error))
            return
        while True:
            hook, arguments, lent_now = pipe.recv()
            try:
                part.ask(Question(hook, arguments, lent_now and lent_now.context(rng, beginning.method)))
                reply = part.reply()
            except Exception as error:
                pipe.send(_told(error))
                continue
            pipe.send(reply)


def _begun(beginning: Beginning, context: Context) -> InProcess:
    """The method, with all that it loads."""
    part = InProcess(params.build(method_class(beginning.method), beginning.params))
    part.ask(Question("divide", {"shards": beginning.shards}))
    part.reply()
    for phase, folder in beginning.load.items():
        part.ask(Question("load", {"folder": Path(folder), "phase": phase}, context))
        part.reply()
    return part


def _told(error: Exception) -> dict[str, Any]:
    """An exception as `supervise.failure` reads it."""
    message, trace = str(error) or repr(error), traceback.format_exc()
    return {"kind": type(error).__name__, "message": message, "traceback": trace}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))
