"""The command line: `bench`. The only place that reads the environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import rich_click as click
from click.exceptions import Abort, Exit
from rich.console import Console
from rich.markup import escape

from bench.commands import COMMANDS
from bench.commands.examples import examples
from bench.commands.options import Surroundings
from bench.errors import BenchError, UsageError

PIPED_WIDTH = 120

OVERVIEW = """Which way of retrieving candidates is best on your data, what does it cost, and where is the loss?

Compares vector retrieval, trees, path-based retrieval and DVF on identical splits, hardware and metrics.
"""
EXAMPLES = examples(
    ("Train and measure DVF on built-in data:", "bench run --method dvf"),
    ("Several methods on your own clicks:", "bench run --method popularity,item_cf,dvf --data clicks.csv"),
    ("What there is, and what a method can be told:", "bench list methods\n\nbench show dvf"),
    ("All results so far:", "bench results"),
    title="Start here",
)
STYLE = click.RichHelpConfiguration(
    text_markup="rich", text_emojis=False, text_paragraph_linebreaks="\n\n", max_width=110
)


@click.command_panel("Data and plugins", commands=["data", "list", "show", "doctor"])  # the last one comes first
@click.command_panel("Publish and guard", commands=["publish", "gate", "reproduce"])
@click.command_panel("Look at results", commands=["results", "inspect", "compare", "cost", "project", "figure"])
@click.command_panel("Run", commands=["run", "sweep", "plan", "time", "score"])
@click.group("bench", help=OVERVIEW, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.rich_config(help_config=STYLE)
@click.version_option(package_name="bench")
@click.option("--debug", is_flag=True, help="Show the traceback of an error, anywhere on the line.")
@click.pass_context
def bench(context: click.Context, debug: bool) -> None:
    context.obj = surroundings()


for _command in COMMANDS:
    bench.add_command(_command)


def surroundings() -> Surroundings:
    """Folders and consoles as the environment has them."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = os.environ.get("BENCH_CACHE")
    data_root = os.environ.get("BENCH_DATA")
    return Surroundings(
        cache=Path(cache) if cache else home / "bench",
        data_root=Path(data_root) if data_root else None,
        out=_console(stderr=False),
        err=_console(stderr=True),
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a BenchError is one message, exit code 2 for a wrong command, 1 for all else, 130 for Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    try:
        code = bench.main([word for word in words if word != "--debug"], prog_name="bench", standalone_mode=False)
    except Exit as end:
        code = end.exit_code
    except (Abort, KeyboardInterrupt):
        _say("interrupted", "what was finished is kept, nothing half-written is left")
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BenchError as error:
        if debug:
            raise
        _say("error", str(error))
        code = 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a full disk, a folder that may not be written
        if debug:
            raise
        _say("error", f"{error}. What was finished is kept; --debug shows where it happened.")
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _say(word: str, text: str) -> None:
    _console(stderr=True).print(f"[bold red]{word}:[/] {escape(text)}", highlight=False, soft_wrap=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, emoji=False)  # "mine.py:X: ..." is no code of an emoji
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(stderr=stderr, emoji=False, width=PIPED_WIDTH)
    return console
