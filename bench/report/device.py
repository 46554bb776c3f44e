"""Whether the methods answer on a device as they do on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import catalog
from bench.errors import BenchError, DataError, Unavailable
from bench.params import parameters
from bench.report.progress import Display
from bench.testing import check_device

SMALL = {"epochs": 1, "dim": 16, "blocks": 1, "rounds": 2}  # of those parameters that a method has
ALIKE, APART, ABSENT = "as on the CPU", "differs", "not checked"
STYLES = {ALIKE: "green", APART: "bold red", ABSENT: "dim"}


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a method; said: why, where it is not alike."""

    method: str
    verdict: str
    said: str = ""


def check(device: str, shown: Display) -> Iterator[Checked]:
    """Every installed method, one after another."""
    names = sorted(catalog.entries(catalog.METHODS))
    for at, name in enumerate(names):
        shown.progress(at, len(names), name)
        try:
            cls = catalog.method_class(name)
            known = parameters(cls)
            settings = {
                key: value for key, value in SMALL.items() if key in known and isinstance(known[key].default, int)
            }
            check_device(cls, settings, device=device)
        except (DataError, Unavailable) as error:  # of vectors alone, say
            yield Checked(name, ABSENT, str(error))
        except (BenchError, AssertionError, RuntimeError, ValueError) as error:  # torch raises the last two
            yield Checked(name, APART, str(error).strip().splitlines()[0] if str(error).strip() else repr(error))
        else:
            yield Checked(name, ALIKE)


def render(found: list[Checked], device: str) -> RenderableType:
    """The table and one sentence."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("method", f"on {device}", ""):
        table.add_column(name)
    for one in found:
        table.add_row(one.method, Text(one.verdict, STYLES[one.verdict]), Text(one.said, "dim"))
    apart = [one.method for one in found if one.verdict == APART]
    said = Text(f"Not in order: {', '.join(apart)}.", "bold red") if apart else Text("All in order.", "green")
    return Group(table, said)
