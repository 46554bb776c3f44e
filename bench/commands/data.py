"""`bench data`: preparing and looking at data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import (
    Command,
    Surroundings,
    cache_option,
    columns,
    data_root_option,
    pass_surroundings,
)
from bench.commands.task_options import conventions, rule_options

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

EXAMPLES = examples(
    ("Download, verify and prepare:", "bench data prepare movielens-1m"),
    ("What a reader should know of your own file:", "bench data audit --data clicks.csv"),
    ("Size and shape:", "bench data stats synthetic:items=100000"),
    ("For a system of your own:", "bench data export movielens-1m --protocol user-holdout --out task"),
)


@click.group("data", epilog=EXAMPLES)
def data() -> None:
    """Prepare, audit or measure data sets."""


def source_options(command: Command) -> Command:
    """NAME or --data FILE, and the folders."""
    name = click.argument("name", required=False)
    file = click.option(
        "--data",
        "file",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help="A file of your own instead of NAME.",
    )
    roles = click.option(
        "--columns",
        "column_texts",
        multiple=True,
        metavar="ROLE=NAME,..",
        help="Which column of --data is user, item, time, rating; else guessed.",
    )
    return name(file(roles(cache_option(data_root_option(command)))))


@data.command("prepare")
@source_options
@pass_surroundings
def prepare(
    surroundings: Surroundings,
    /,
    name: str | None,
    file: Path | None,
    column_texts: tuple[str, ...],
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Download, verify and prepare a data set, so that runs start at once."""
    from bench.report import findings

    dataset = _load(surroundings, name, file, column_texts, cache, data_root)
    surroundings.out.print(findings.prepared(dataset))


@data.command("audit")
@click.option(
    "--protocol",
    "-p",
    default="",
    metavar="NAME[:KEY=VALUE,..]",
    show_default="the data set's own",
    help="The split to look at too.",
)
@source_options
@pass_surroundings
def audit(
    surroundings: Surroundings,
    /,
    name: str | None,
    file: Path | None,
    column_texts: tuple[str, ...],
    cache: Path | None,
    data_root: Path | None,
    protocol: str,
) -> None:
    """What to know before believing a number: repeats, ties, order, missing values, rare users and items; and what the
    split does with them."""
    from bench.data.audit import audit as examine
    from bench.data.conventions import Conventions
    from bench.data.freezing import prepare_task
    from bench.errors import ProtocolError
    from bench.report import findings
    from bench.run.tasks import protocol_for

    dataset = _load(surroundings, name, file, column_texts, cache, data_root)
    surroundings.out.print(findings.dataset_audit(dataset, examine(dataset)))
    home = surroundings.home(Path("results"), cache, data_root)
    try:
        task = prepare_task(dataset, protocol_for(protocol, dataset), Conventions(), cache=home.cache)
    except ProtocolError as error:  # the data set is in order, this split of it is not possible
        surroundings.out.print(f"\n{error}", style="yellow", markup=False)
    else:
        surroundings.out.print(findings.task_audit(task))


@data.command("stats")
@source_options
@pass_surroundings
def stats(
    surroundings: Surroundings,
    /,
    name: str | None,
    file: Path | None,
    column_texts: tuple[str, ...],
    cache: Path | None,
    data_root: Path | None,
) -> None:
    """Counts, lengths of histories, popularity and features."""
    from bench.data.stats import stats as measure
    from bench.report import findings

    dataset = _load(surroundings, name, file, column_texts, cache, data_root)
    surroundings.out.print(findings.dataset_stats(dataset, measure(dataset)))


@data.command("export")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where the three files are written.",
)
@rule_options
@source_options
@pass_surroundings
def export(
    surroundings: Surroundings,
    /,
    name: str | None,
    file: Path | None,
    column_texts: tuple[str, ...],
    cache: Path | None,
    data_root: Path | None,
    out: Path,
    **asked: Any,
) -> None:
    """A task as Parquet files for systems outside, whose answers bench score measures.

    training.parquet: user, item, time, rating, a row an interaction. requests.parquet: part, request, user, history,
    exclude, time, a row a request; targets are not among them. items.parquet: item, and whether it may be answered.
    """
    from bench.data.exporting import export as write
    from bench.data.freezing import prepare_task
    from bench.run.tasks import protocol_for

    rules = conventions(asked)
    dataset = _load(surroundings, name, file, column_texts, cache, data_root, rules.ties)
    home = surroundings.home(Path("results"), cache, data_root)
    protocol = protocol_for(asked["protocol"], dataset)
    task = prepare_task(dataset, protocol, rules, cache=home.cache, eligible=asked["eligible"])
    for path in write(task, out):
        surroundings.out.print(str(path), highlight=False, soft_wrap=True)


def _load(
    surroundings: Surroundings,
    name: str | None,
    file: Path | None,
    column_texts: tuple[str, ...],
    cache: Path | None,
    data_root: Path | None,
    ties: str = "hash",
) -> Dataset:
    from bench.data.dataset import load_dataset, load_file
    from bench.errors import UsageError
    from bench.report.progress import display

    if name is not None and file is not None:
        raise UsageError(f"give either {name} or --data {file}, not both")
    if name is None and file is None:
        raise UsageError("name a data set or give --data FILE (bench list datasets shows what there is)")
    home = surroundings.home(Path("results"), cache, data_root)
    with display(surroundings.err, quiet=False) as shown:
        shown.begin(f"preparing {name or file}")
        shown.stage("data")
        if file is None:
            return load_dataset(
                name or "", cache=home.cache, data_root=home.data_root, ties=ties, progress=shown.progress
            )
        dataset, guess = load_file(file, columns(column_texts), cache=home.cache, ties=ties, progress=shown.progress)
        if guess:
            shown.log(guess)
        return dataset
