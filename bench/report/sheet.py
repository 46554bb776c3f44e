"""A table of texts with a title and words below it, for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Sheet:
    """lines: each a text for every column, by the column's name; at least one."""

    title: str
    lines: tuple[Mapping[str, str], ...]
    words: str

    def render(self, of: str) -> RenderableType:
        """For a terminal; of: the task."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
        for name in self.lines[0]:
            table.add_column(name)
        for line in self.lines:
            table.add_row(*map(Text, line.values()))
        return Group(Text.assemble((f"{self.title}  ", "bold"), of), table, Text(f"{self.words}\n", "dim"))
