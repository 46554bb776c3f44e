"""What a person sees while several runs go at once: a live table in a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bench.report import wording
from bench.report.progress import BAR_WIDTH, LOG_SECONDS

SHOWN = 12  # rows of runs that go on; of more it is said how many


@dataclass(frozen=True, slots=True)
class Doing:
    """A run that goes on: what it is, where, its stage, and the share of that where it is known."""

    title: str
    host: str
    stage: str
    share: float | None = None
    note: str = ""

    def __str__(self) -> str:
        share = "" if self.share is None else f" {100 * self.share:.0f}%"
        return f"{self.title}: {self.stage}{share} on {self.host}"


@dataclass(frozen=True, slots=True)
class Several:
    """How far a number of runs is. worked: of those done that were carried out in the `seconds` since the beginning;
    the others were in the store."""

    title: str
    total: int
    done: int = 0
    worked: int = 0
    seconds: float = 0.0
    going: tuple[Doing, ...] = ()

    @property
    def seconds_left(self) -> float | None:
        """If the others end as often as those that were carried out; None before the first one has."""
        return (self.total - self.done) * self.seconds / self.worked if self.worked else None

    def __str__(self) -> str:
        parts = [f"{self.title}: {self.done} of {self.total} done"]
        named = [str(doing) for doing in self.going[:3]] + ["..."] * (len(self.going) > 3)
        parts += [f"{len(self.going)} running ({', '.join(named)})"] if self.going else ["waiting for a node"]
        parts += [] if self.seconds_left is None else [f"about {wording.duration(self.seconds_left)} left"]
        return " · ".join(parts)


def gathering(console: Console, *, quiet: bool) -> Gathering:
    """What shows runs on `console`, or nowhere."""
    return Gathering(Console(quiet=True, force_terminal=False) if quiet else console)


class Gathering:
    """Shows several runs at once on `console`; used in a `with` statement."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self.console, self.clock = console, clock
        self.now: Several | None = None
        self._said = clock()
        self._spinner = Spinner("dots", style="cyan")
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(console=console, get_renderable=self._render, transient=True, refresh_per_second=8)

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.now = None
        if self._live:
            self._live.stop()

    def show(self, now: Several) -> None:
        """How far they are; a log says so every few seconds."""
        self.now = now
        if self._live is None and self.clock() - self._said >= LOG_SECONDS:
            self.log(str(now))

    def ended(self, line: str, *, failed: bool) -> None:
        """One of them has: `line` says how."""
        if self._live is None:
            self.log(line if failed else f"done: {line}")  # a failure's line says so itself
        else:
            self.console.print(f"{'[red]✗[/]' if failed else '[green]✓[/]'} {escape(line)}", highlight=False)

    def log(self, line: str) -> None:
        """Something to be read once."""
        self._said = self.clock()
        if self._live is None:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            self.console.print(Text(line, "dim"))

    def _render(self) -> RenderableType:
        if self.now is None:
            return Text("")
        return table(self.now, self._spinner)


def table(now: Several, spinner: RenderableType) -> RenderableType:
    """All of it: a bar over the runs, then a row for each that goes on."""
    outer = Table.grid()
    said = [f"{now.done} of {now.total}", wording.duration(now.seconds)]
    said += [] if now.seconds_left is None else [f"about {wording.duration(now.seconds_left)} left"]
    head = Table.grid(padding=(0, 1, 0, 0))
    bar = ProgressBar(max(1, now.total), now.done, width=BAR_WIDTH)
    head.add_row(spinner, Text(now.title, "bold"), bar, " · ".join(said))
    outer.add_row(head)
    rows = Table.grid(padding=(0, 2, 0, 0))
    for doing in now.going[:SHOWN]:
        share = "" if doing.share is None else f"{100 * doing.share:.0f}%"
        rows.add_row(" ", doing.title, doing.stage, share, Text(doing.note, "dim"), Text(doing.host, "dim"))
    if len(now.going) > SHOWN:
        rows.add_row(" ", Text(f"and {len(now.going) - SHOWN} more", "dim"))
    if not now.going:
        rows.add_row(" ", Text("waiting for a node", "dim"))
    outer.add_row(rows)
    return outer
