"""`bench list`, `bench show` and `bench doctor`: what is installed."""

from __future__ import annotations

from pathlib import Path

import rich_click as click
from click.exceptions import Exit

from bench.commands.examples import examples
from bench.commands.options import (
    Device,
    Surroundings,
    cache_option,
    data_root_option,
    pass_surroundings,
    results_option,
)


@click.command("list")
@click.argument("kind", type=click.Choice(["methods", "datasets", "protocols", "metrics"]))
@pass_surroundings
def list_(surroundings: Surroundings, /, kind: str) -> None:
    """The methods, data sets, protocols or metrics that are installed."""
    from bench.report import listing

    pages = {
        "methods": listing.methods,
        "datasets": listing.datasets,
        "protocols": listing.protocols,
        "metrics": listing.metrics,
    }
    surroundings.out.print(pages[kind]())


@click.command(
    "show",
    epilog=examples(
        ("A method's parameters, by phase:", "bench show dvf"), ("A data set's card:", "bench show movielens-1m")
    ),
)
@click.argument("name", metavar="METHOD|DATASET")
@pass_surroundings
def show(surroundings: Surroundings, /, name: str) -> None:
    """A method's parameters or a data set's card."""
    from bench.report import listing

    surroundings.out.print(listing.anything(name))


@click.command(
    "doctor",
    epilog=examples(
        ("Is this installation in order?", "bench doctor"),
        ("Do the methods answer on the GPU as on the CPU?", "bench doctor --device cuda"),
    ),
)
@click.option(
    "--device", type=Device(), metavar="NAME", help="Check every method on this device instead, on small made data."
)
@results_option
@cache_option
@data_root_option
@pass_surroundings
def doctor(
    surroundings: Surroundings, /, device: str | None, results: Path, cache: Path | None, data_root: Path | None
) -> None:
    """Versions, machine, caches, and plugins that cannot be loaded.

    With --device: what each method trained on the CPU is asked there too, and it is trained there. The exit code is 1
    where something is broken.
    """
    if device is not None:
        _check_device(surroundings, device)
        return
    from bench.report import checkup

    home = surroundings.home(results, cache, data_root)
    page, broken = checkup.render(home.cache, home.results, home.data_root)
    surroundings.out.print(page)
    if broken:
        raise Exit(1)


def _check_device(surroundings: Surroundings, device: str) -> None:
    from bench.report import device as checkup
    from bench.report.progress import display

    with display(surroundings.err, quiet=False) as shown:
        shown.begin(f"methods on {device}")
        shown.stage("check")
        found = list(checkup.check(device, shown))
    surroundings.out.print(checkup.render(found, device))
    if any(one.verdict == checkup.APART for one in found):
        raise Exit(1)


COMMANDS = (list_, show, doctor)
