"""Options that several commands share, and the texts that options take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from bench.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.run.plan import Home

Command = TypeVar("Command", bound=Callable[..., Any])
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What `bench.cli` took from the environment: default folders and the two consoles."""

    cache: Path
    data_root: Path | None
    out: Console
    err: Console

    def home(self, results: Path, cache: Path | None, data_root: Path | None) -> Home:
        """The folders of this command: as given by options, else from the environment."""
        from bench.run.plan import Home

        return Home(results, cache or self.cache, data_root or self.data_root)


pass_surroundings = click.make_pass_decorator(Surroundings)


class Names(click.ParamType[list[str]]):
    """A comma-separated list; the option may be repeated besides."""

    name = "NAME[,NAME]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        if not isinstance(value, str):
            return list(value)
        names: list[str] = []
        for part in filter(None, map(str.strip, value.split(","))):
            if names and ":" in names[-1] and "=" in part and ":" not in part:
                names[-1] += f",{part}"  # a setting of the name before: synthetic:items=1000,seed=3
            else:
                names.append(part)
        return names


class Ints(click.ParamType[tuple[int, ...]]):
    """Comma-separated positive whole numbers."""

    name = "N[,N]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        if not isinstance(value, str):
            return tuple(value)
        try:
            numbers = tuple(sorted({int(part) for part in value.split(",")}))
        except ValueError:
            self.fail(f"{value!r} is not of the form 10,50,200", param, ctx)
        if numbers[0] < 1:
            self.fail(f"{numbers[0]} is less than 1", param, ctx)
        return numbers


class Device(click.ParamType[str]):
    """A device as torch names it; whether it is there, the method says that would use it."""

    name = "NAME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"(cpu|cuda|mps|xpu|hpu|npu|tpu)(:\d+)?", str(value)):
            self.fail(f"{value!r} is no device; write cpu, cuda or, for the second one, cuda:1", param, ctx)
        return str(value)


class Bytes(click.ParamType[int]):
    """An amount of memory."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]?i?)b?\s*", value.lower())
        try:
            return int(float(found[1]) * _BYTES[found[2]]) if found else self.fail(_no_size(value), param, ctx)
        except (KeyError, ValueError):
            self.fail(_no_size(value), param, ctx)


class Seconds(click.ParamType[float]):
    """A time."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, int | float):
            return float(value)
        found = re.fullmatch(r"\s*([\d.]+)\s*(s|m|min|h)?\s*", value.lower())
        try:
            return float(found[1]) * _SECONDS[found[2] or ""] if found else self.fail(_no_time(value), param, ctx)
        except ValueError:
            self.fail(_no_time(value), param, ctx)


class Assignment(click.ParamType[tuple[str, str]]):
    """name=value."""

    def __init__(self, name: str = "NAME=VALUE") -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!r} is not of the form name=value", param, ctx)
        return key.strip(), text.strip()


def results_option(command: Command) -> Command:
    """--results."""
    return click.option(
        "--results",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("results"),
        show_default="./results",
        metavar="FOLDER",
        help="Where results are kept.",
    )(command)


def cache_option(command: Command) -> Command:
    """--cache."""
    return click.option(
        "--cache",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="FOLDER",
        show_default="$BENCH_CACHE or ~/.cache/bench",
        help="Where prepared data and trained artifacts are kept.",
    )(command)


def json_option(written: str, panel: str | None = None) -> Callable[[Command], Command]:
    """--json FILE; written: what goes there, panel: of the help page."""
    return click.option(
        "--json",
        "json_file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        panel=panel,
        help=written,
    )


def prices_option(command: Command) -> Command:
    """--prices."""
    return click.option(
        "--prices",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="PRICES.toml",
        help="What you pay: currency, core_hour, gb_hour (memory), gpu_hour, gb_month (storage), requests. Without it "
        "there is no money.",
    )(command)


def data_root_option(command: Command) -> Command:
    """--data-root."""
    return click.option(
        "--data-root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        metavar="FOLDER",
        show_default="$BENCH_DATA",
        help="A folder to look into before anything is downloaded.",
    )(command)


def check_writable(json_file: Path | None) -> None:
    """Refuse --json FILE in a folder that is not there before any work is done."""
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(f"--json {json_file}: there is no folder {json_file.parent}; make it or name another file")


def flattened(lists: Iterable[Iterable[str]]) -> list[str]:
    """A repeatable list's values, each once, in order."""
    return list(dict.fromkeys(name for names in lists for name in names))


def columns(pairs: Iterable[str]) -> dict[str, str] | None:
    """ "user=uid,item=sku,time=ts" as a mapping."""
    found: dict[str, str] = {}
    for part in (part for text in pairs for part in text.split(",") if part.strip()):
        key, equals, value = part.partition("=")
        if not equals:
            raise UsageError(
                f"--columns {part!r} is not of the form role=column, for example user=uid,item=sku,time=ts"
            )
        if key.strip() in found:
            raise UsageError(f"--columns says {key.strip()} twice: {found[key.strip()]!r} and {value.strip()!r}")
        found[key.strip()] = value.strip()
    return found or None


def _no_size(value: str) -> str:
    return f"{value!r} is no amount of memory; write for example 800MB, 8GB or 7.5GiB"


def _no_time(value: str) -> str:
    return f"{value!r} is no time; write seconds, or for example 90s, 15m or 2h"
