"""Runs on their way: a Ray task each with what it demands, told about by an actor, begun again where a node is lost."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from time import monotonic
from typing import Any

from bench.cluster.demand import Node
from bench.cluster.node import Errand, News, Return, carry_out
from bench.cluster.order import Order
from bench.commands.series import not_begun, summary, title_of
from bench.errors import BenchError, ClusterError
from bench.report import wording
from bench.report.several import Doing, Gathering, Several

TRIES = 3  # of a run whose process or node is lost; a failure of the run itself is a record at once
POLL_SECONDS = 0.5
FAREWELL_SECONDS = 15.0  # for runs to clean up after Ctrl-C


class Mailbox:
    """An actor: what runs tell, until it is fetched."""

    def __init__(self) -> None:
        self._news: list[tuple[int, News]] = []

    def tell(self, number: int, news: News) -> None:
        self._news.append((number, news))

    def fetch(self) -> list[tuple[int, News]]:
        news, self._news = self._news, []
        return news


def carry_out_telling(errand: Errand, mailbox: Any) -> Return:
    """The task: `carry_out` with news to the actor, for whose answer it does not wait."""
    return carry_out(errand, mailbox.tell.remote)


def nodes(ray: Any) -> list[Node]:
    """What the nodes that are alive offer."""
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Node(int(one.get("CPU", 0)), int(one.get("memory", 0)), int(one.get("GPU", 0))) for one in alive]


class Sending:
    """Errands on their way to a connected Ray (the module), in an order; of `part` a run's line speaks."""

    def __init__(self, ray: Any, errands: Sequence[Errand], order: Order, shown: Gathering, part: str) -> None:
        self._ray, self._errands, self._order, self._shown, self._part = ray, errands, order, shown, part
        self._task = ray.remote(carry_out_telling)
        self._mailbox = ray.remote(num_cpus=0, max_restarts=-1)(Mailbox).remote()
        self._sent: dict[Any, int] = {}  # a reference to each task's answer, and its errand
        self._going: dict[int, Doing] = {}
        self._lost = [0] * len(errands)
        self._records: dict[int, dict[str, Any]] = {}

    def records(self, title: str) -> list[dict[str, Any]]:
        """The record of each, in the order of the errands; all that goes on is ended when this call is."""
        begun, now = monotonic(), Several(title, len(self._errands))
        try:
            self._send(self._order.begin())
            while self._sent:
                sent = list(self._sent)
                ready, _ = self._ray.wait(sent, num_returns=len(sent), timeout=POLL_SECONDS)
                self._read()
                worked = sum([self._receive(one) for one in ready])
                self._send(self._order.begin())
                now = dataclasses.replace(
                    now,
                    done=len(self._records),
                    worked=now.worked + worked,
                    seconds=monotonic() - begun,
                    going=tuple(self._going[at] for at in sorted(self._going)),
                )
                self._shown.show(now)
        finally:
            self._end()
        return [self._records[at] for at in range(len(self._errands))]

    def _send(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            wanted = self._errands[number].wanted  # which Ray waits for where the nodes that had it are gone
            task = self._task.options(
                name=self._title(number),
                num_cpus=wanted.cores,
                num_gpus=wanted.gpus,
                memory=wanted.memory_bytes or None,
                max_retries=0,  # Ray would begin a run that outgrows its node again and again
            )
            self._sent[task.remote(self._errands[number], self._mailbox)] = number

    def _read(self) -> None:
        """What the runs have told."""
        told: list[tuple[int, News]] = []
        with contextlib.suppress(self._ray.exceptions.RayError):  # its node may be lost too; it starts anew on another
            told = self._ray.get(self._mailbox.fetch.remote(), timeout=20 * POLL_SECONDS)
        for number, news in told:
            if news.line:
                self._shown.log(news.line)
                continue
            self._order.reached(number, news.stage)
            if number not in self._records:
                self._going[number] = Doing(self._title(number), news.host, news.stage, news.share, news.note)

    def _receive(self, sent: Any) -> bool:
        """Take what came back of a task; whether a run was carried out."""
        number = self._sent.pop(sent)
        self._going.pop(number, None)
        try:
            back: Return = self._ray.get(sent)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, BenchError | OSError):
                raise error.cause from None
            raise ClusterError(f"{self._title(number)} broke on its node: {error}") from error
        except self._ray.exceptions.RayError as error:
            self._begin_again(number, error)
            return False
        self._keep(number, back.record, f"{wording.duration(back.seconds)}, {back.host}")
        return back.worked

    def _begin_again(self, number: int, error: Exception) -> None:
        self._lost[number] += 1
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0].partition('. ')[0]}"
        if self._lost[number] < TRIES:
            self._shown.log(f"{self._title(number)}: its process or node was lost ({reason}); it is begun again")
            self._send([number])
        else:
            told = ClusterError(f"its process or node was lost {TRIES} times, at last by {reason}")
            self._keep(number, not_begun(self._errands[number].plan, told), f"lost {TRIES} times")

    def _keep(self, number: int, record: dict[str, Any], how: str) -> None:
        self._records[number] = record
        well = record["status"] == "ok"
        self._order.ended(number, well=well)
        said = summary(self._title(number), record, self._part)
        self._shown.ended(f"{said} ({how})", failed=not well)

    def _title(self, number: int) -> str:
        all_of_them = len(self._errands)
        position = f" ({number + 1} of {all_of_them})" if all_of_them > 1 else ""
        return f"{title_of(self._errands[number].plan)}{position}"

    def _end(self) -> None:
        """Have what still goes on clean up after itself."""
        if self._sent:
            self._shown.log(f"what still goes on is ended ({len(self._sent)})")
            with contextlib.suppress(self._ray.exceptions.RayError):
                for sent in self._sent:
                    self._ray.cancel(sent)  # a KeyboardInterrupt there, as Ctrl-C is here
                self._ray.wait(list(self._sent), num_returns=len(self._sent), timeout=FAREWELL_SECONDS)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(self._mailbox)
