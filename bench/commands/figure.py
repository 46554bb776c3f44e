"""`bench figure`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import Surroundings, cache_option, pass_surroundings, results_option


@click.command(
    "figure",
    epilog=examples(
        ("What the runs of a suite found:", "bench sweep suites/dvf-beam.toml\n\nbench figure suites/dvf-beam.toml"),
    ),
)
@click.argument("suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="SUITE.toml")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    show_default="figures in the folder of results",
    help="Where SUITE.svg, SUITE.png and SUITE.csv are written.",
)
@results_option
@cache_option
@pass_surroundings
def figure(surroundings: Surroundings, /, suite: Path, out: Path | None, results: Path, cache: Path | None) -> None:
    """Draw the figure that a suite declares from the results of its runs.

    Writes it as SVG and PNG, and beside it a table of the numbers drawn. Runs nothing: what is not in the store yet is
    named, and so is what failed or lacks what the figure shows. A folder of published results (records.jsonl) is read
    as well: --results results/dvf.
    """
    from bench.report import figure_drawing, figure_points
    from bench.store.results import Store
    from bench.suites import load_suite

    home = surroundings.home(results, cache, None)
    drawing = figure_points.gather(load_suite(suite), Store(home.results), home.cache)
    folder = out or results / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / suite.stem
    numbers = stem.with_suffix(".csv")
    numbers.write_text(figure_points.table(drawing), encoding="utf-8")
    for path in (*figure_drawing.write(drawing, stem), numbers):
        surroundings.out.print(str(path), highlight=False, soft_wrap=True)
    for run in drawing.failed:
        surroundings.err.print(f"failed: {run}", style="red", highlight=False)
    for run in drawing.missing[:5]:
        surroundings.err.print(f"not in the store: {run}", style="yellow", highlight=False)
    if drawing.missing:
        surroundings.err.print(
            f"{len(drawing.missing)} of {drawing.runs} runs are not in the store: bench sweep {suite}",
            style="yellow",
            highlight=False,
            soft_wrap=True,
        )
    for run in drawing.lacking[:5]:
        surroundings.err.print(run, style="yellow", highlight=False, soft_wrap=True)
    if drawing.lacking[5:]:
        said = f"{len(drawing.lacking)} of {drawing.runs} runs lack some of what the figure shows"
        surroundings.err.print(said, style="yellow", highlight=False)
