"""What a person sees while runs go: a live display in a terminal, a line now and then in a log, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from bench.report import wording
from bench.report.pace import Pace

LOG_SECONDS = 5.0
BAR_WIDTH = 24


class Display(Protocol):
    """A `Watch` over several runs, one after another; used in a `with` statement."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, title: str) -> None:
        """A run begins: "dvf on movielens-1m (2 of 4)"."""

    def end(self, line: str, *, failed: bool) -> None:
        """It has ended: `line` says how."""

    def whole(self, done: int, total: int, left: float | None) -> None:
        """Of several runs so many are done; all others will take about `left` seconds, None where nothing tells."""

    def stage(self, name: str, note: str = "") -> None:
        """A stage of it begins."""

    def progress(self, done: float, total: float, note: str = "") -> None:
        """`done` of `total` of the stage at hand."""

    def log(self, line: str) -> None:
        """Something to be read once."""


def display(console: Console, *, quiet: bool) -> Display:
    """The display that suits the console."""
    if quiet:
        return Quiet()
    return LiveDisplay(console) if console.is_terminal else PlainDisplay(console)


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def begin(self, title: str) -> None: ...

    def end(self, line: str, *, failed: bool) -> None: ...

    def whole(self, done: int, total: int, left: float | None) -> None: ...

    def stage(self, name: str, note: str = "") -> None: ...

    def progress(self, done: float, total: float, note: str = "") -> None: ...

    def log(self, line: str) -> None: ...


class PlainDisplay(Quiet):
    """A line at most every five seconds, and one when a run ends."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self.console, self.clock = console, clock
        self.title, self.name = "", ""
        self.pace = Pace()
        self.said = self.begun = clock()

    def begin(self, title: str) -> None:
        self.title, self.name, self.pace = title, "", Pace()
        self.said = self.begun = self.clock()

    def end(self, line: str, *, failed: bool) -> None:
        spent = wording.duration(self.clock() - self.begun)
        self._print(f"{line} ({spent})" if failed else f"done: {line} ({spent})")  # a failure's line says so itself

    def stage(self, name: str, note: str = "") -> None:
        self.name, self.pace = name, Pace()
        self._now_and_then(note)

    def progress(self, done: float, total: float, note: str = "") -> None:
        self.pace.advance(done, total, self.clock())
        self._now_and_then(note)

    def whole(self, done: int, total: int, left: float | None) -> None:
        if total > 1:
            self._print(wording.of_all(done, total, left))

    def log(self, line: str) -> None:
        self._print(line)

    def _now_and_then(self, note: str) -> None:
        now = self.clock()
        if now - self.said < LOG_SECONDS:
            return
        self.said = now
        share, left = self.pace.share, self.pace.seconds_left(now)
        parts = [f"{self.title}: {self.name}"]
        parts += [f"{100 * share:.0f}%"] if share is not None else []
        parts += [note] if note else []
        parts += [f"{wording.duration(left)} left"] if left is not None else []
        self._print(" · ".join(parts))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


class LiveDisplay(Quiet):
    """The run at hand with its stages, redrawn in place; ended runs stay above as a line each."""

    def __init__(self, console: Console, clock: Callable[[], float] = monotonic) -> None:
        self.console, self.clock = console, clock
        self.title = ""
        self.ended: list[tuple[str, float, str]] = []  # stage, seconds, its last note
        self.name, self.note, self.pace, self.spinner = "", "", Pace(), Spinner("dots", style="cyan")
        self.begun = self.stage_begun = self.told = clock()
        self.done, self.total = 0, 0
        self.left: float | None = None
        self.live = Live(console=console, get_renderable=self._render, transient=True, refresh_per_second=8)

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.title = ""
        self.live.stop()

    def begin(self, title: str) -> None:
        self.title, self.name, self.note, self.pace = title, "", "", Pace()
        self.ended = []
        self.begun = self.stage_begun = self.clock()

    def end(self, line: str, *, failed: bool) -> None:
        spent = wording.duration(self.clock() - self.begun)
        self.title = ""
        mark = "[red]✗[/]" if failed else "[green]✓[/]"
        self.console.print(f"{mark} {escape(line)} [dim]({spent})[/]", highlight=False)

    def stage(self, name: str, note: str = "") -> None:
        now = self.clock()
        if self.name:
            self.ended.append((self.name, now - self.stage_begun, self.note))
        self.name, self.note, self.pace, self.stage_begun = name, note, Pace(), now

    def whole(self, done: int, total: int, left: float | None) -> None:
        self.done, self.total, self.left, self.told = done, total, left, self.clock()

    def progress(self, done: float, total: float, note: str = "") -> None:
        self.pace.advance(done, total, self.clock())
        self.note = note or self.note

    def log(self, line: str) -> None:
        self.console.print(Text(line, "dim"))

    def _render(self) -> RenderableType:
        if not self.title:
            return Text("")
        now = self.clock()
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(width=1)
        table.add_column(width=10, no_wrap=True)
        table.add_column(width=BAR_WIDTH, justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for name, seconds, note in self.ended[-6:]:
            table.add_row(Text("✓", "green"), name, Text(wording.duration(seconds), "dim"), Text(note, "dim"))
        share, left = self.pace.share, self.pace.seconds_left(now)
        spent = wording.duration(now - self.stage_begun)
        bar: RenderableType = Text(spent, "dim") if share is None else ProgressBar(1.0, share, width=BAR_WIDTH)
        said = [f"{100 * share:.0f}%"] if share is not None else []
        said += [self.note] if self.note else []
        if left is not None:
            said.append(f"{wording.duration(left)} left")
        elif share is not None:
            said.append(spent)
        outer = Table.grid()
        outer.add_row(Text(self.title, "bold"))
        if self.name:
            table.add_row(self.spinner, Text(self.name, "bold"), bar, " · ".join(said))
        outer.add_row(table)
        if self.total > 1:
            ahead = None if self.left is None else max(0.0, self.left - (now - self.told))
            outer.add_row(Text(wording.of_all(self.done, self.total, ahead), "dim"))
        return outer
