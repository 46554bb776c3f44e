"""`bench publish`."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from bench.commands.examples import examples
from bench.commands.options import Surroundings, pass_surroundings, prices_option, results_option
from bench.errors import Unavailable


@click.command(
    "publish",
    epilog=examples(
        (
            "A page of a suite's results:",
            "bench sweep suites/movielens-1m.toml\n\nbench publish suites/movielens-1m.toml",
        ),
        ("Of all that is in the store, into a folder for a site:", "bench publish --out site --title 'Our catalog'"),
    ),
)
@click.argument(
    "suite", type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="[SUITE.toml]", required=False
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    show_default="SUITE, or published, in the folder of results",
    help="Where index.html, tables, figures and records are written.",
)
@click.option("--title", help="Of the page; else the suite's.")
@prices_option
@results_option
@pass_surroundings
def publish(
    surroundings: Surroundings,
    /,
    suite: Path | None,
    out: Path | None,
    title: str | None,
    prices: Path | None,
    results: Path,
) -> None:
    """Make a page of results that can be put on any site.

    Writes one HTML file that needs no server and no network (tables that sort and filter, charts of quality against
    cost, what methods cost at equal recall, pictures of where the loss is, paired tests), the same tables as Markdown,
    LaTeX and CSV, the charts as SVG and PNG, and below runs/ the record of every number with what each request
    contributed. Runs nothing.
    """
    try:
        from bench.publication import publish as publication
    except ImportError as error:
        raise Unavailable(f"a page needs {error.name}, which is not installed: pip install 'bench[publish]'") from error
    from bench.prices import REQUESTS, load_prices
    from bench.report.cost import Bill
    from bench.report.suite_rows import of_store, of_suite
    from bench.store.results import Store
    from bench.suites import load_suite

    paid = None if prices is None else load_prices(prices)
    bill = Bill(REQUESTS if paid is None else paid.requests, paid)
    store = Store(results)
    wanted = None if suite is None else load_suite(suite)
    tasks = of_store(store) if wanted is None else of_suite(wanted, store)
    folder = out or results / ("published" if suite is None else suite.stem)
    called = title or (wanted.title if wanted is not None else "Retrieval methods compared")
    source = "" if suite is None else suite.read_text(encoding="utf-8")
    page = publication.publish(tasks, store, folder, called, wanted, source, bill)
    surroundings.out.print(str(page), highlight=False, soft_wrap=True)
