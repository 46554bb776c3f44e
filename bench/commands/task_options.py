"""Options that say which task: shared by the commands that carry something over one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import rich_click as click

from bench import params
from bench.commands.options import Command, Ints
from bench.data.conventions import Conventions

WHAT, DATA, CONVENTIONS = "What to run", "Data and protocol", "Conventions"
FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def rule_options(command: Command) -> Command:
    """--protocol, --eligible and the conventions: how data become a task."""
    protocol = click.option(
        "--protocol",
        "-p",
        default="",
        metavar="NAME[:KEY=VALUE,..]",
        panel=DATA,
        show_default="the data set's own",
        help="How data become training and requests; [cyan]bench list protocols[/].",
    )
    eligible = click.option(
        "--eligible", type=FILE, metavar="FILE", panel=DATA, help="Only these items may be answered: a raw id a line."
    )
    for name, declared in reversed(params.parameters(Conventions).items()):
        option = click.option(
            f"--{name.replace('_', '-')}",
            name,
            type=click.Choice([choice.replace("_", "-") for choice in declared.declaration.choices]),
            default=declared.default,
            show_default=True,
            help=declared.declaration.help[:1].upper() + declared.declaration.help[1:] + ".",
            panel=CONVENTIONS,
        )
        command = option(command)
    return protocol(eligible(command))


def file_options(command: Command) -> Command:
    """--data and --columns: a file of interactions in place of a data set's name."""
    data = click.option(
        "--data", type=FILE, metavar="FILE", panel=DATA, help="Your own interactions: csv, tsv, json lines or parquet."
    )
    roles = click.option(
        "--columns",
        "column_texts",
        multiple=True,
        metavar="ROLE=NAME,..",
        panel=DATA,
        help="Which column of --data is user, item, time, rating. Without it they are guessed, and said.",
    )
    return data(roles(command))


def depth_option(command: Command) -> Command:
    """--k."""
    return click.option(
        "--k",
        "ks",
        type=Ints(),
        default="10,50,200",
        show_default=True,
        panel=WHAT,
        help="Depths of the metrics; the deepest is how many items are asked for.",
    )(command)


def conventions(asked: Mapping[str, Any]) -> Conventions:
    """What `rule_options` were given."""
    return Conventions(*(asked[name].replace("-", "_") for name in params.parameters(Conventions)))
