"""A row of a page: a run, how it is called, and where its record lies beside the page."""

from __future__ import annotations

from dataclasses import dataclass

from bench.report.columns import Record


@dataclass(frozen=True, slots=True)
class Entry:
    """label: unlike all others of the task; line: what it shares with rows of other settings; run: the beginning of
    the run's id; stem: of its files below runs/."""

    label: str
    line: str
    record: Record
    run: str
    stem: str

    @property
    def href(self) -> str:
        """The record, from the page."""
        return f"runs/{self.stem}.json"
