"""How well `bench plan` foretells a suite: it is planned from pilots alone, carried out, and the two are compared.

    python benchmarks/plan_accuracy.py suites/movielens-1m.toml --pilot-seconds 30

Works in a folder of its own that is removed afterwards, so nothing that was trained earlier helps; raw data are looked
for in --data-root. Each figure is planned / carried out: 1 is right, 2 is twice too much. Whatever else the machine
does meanwhile is in the figures.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.commands.series import Series
from bench.forecast.cost import Cost, Span, paid
from bench.forecast.forecast import Line, forecast
from bench.report import wording
from bench.report.progress import display
from bench.run.plan import Home
from bench.suites import load_suite


def main() -> None:
    """Plan, run, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path)
    parser.add_argument("--pilot-seconds", type=float, default=30.0)
    parser.add_argument("--data-root", type=Path)
    asked = parser.parse_args()
    suite = load_suite(asked.suite)
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="plan-") as folder, display(Console(stderr=True), quiet=False) as shown:
        home = Home(Path(folder) / "results", Path(folder) / "cache", asked.data_root)
        lines = forecast(suite, home, shown, asked.pilot_seconds).lines
        records = Series(home, shown).carry_out_all(suite.plans)
        costs = []
        for line, record in zip(lines, records, strict=True):
            whole = paid(record, home.results / "runs" / record["run_id"]) if record["status"] == "ok" else Cost()
            costs.append(whole.without(line.free))
    console.print(_table(lines, costs))


def _table(lines: Sequence[Line], costs: Sequence[Cost]) -> Table:
    table = Table(title="planned / carried out")
    table.add_column("run")
    for name in ("train", "index", "query", "oracle", "rest", "seconds", "carried out", "in range", "memory", "disk"):
        table.add_column(name, justify="right")
    for line, cost in zip(lines, costs, strict=True):
        parts = [
            _ratio(line.cost.seconds.get(part), cost.seconds.get(part))
            for part in ("train", "index", "query", "oracle", "rest")
        ]
        spent = cost.total_seconds.value
        inside = line.cost.total_seconds.low <= spent <= line.cost.total_seconds.high
        table.add_row(
            line.plan.name,
            *parts,
            _ratio(line.cost.total_seconds, cost.total_seconds),
            wording.seconds(spent),
            "yes" if inside else "no",
            _ratio(line.cost.peak_memory, cost.peak_memory),
            _ratio(line.cost.total_disk, cost.total_disk),
        )
    planned, spent = (sum(one.total_seconds.value for one in kind) for kind in ([line.cost for line in lines], costs))
    disks = [sum(one.total_disk.value for one in kind) for kind in ([line.cost for line in lines], costs)]
    peaks = [max(one.peak_memory.value for one in kind) for kind in ([line.cost for line in lines], costs)]
    table.add_section()
    table.add_row(
        "all", "", "", "", "", "", f"{planned / spent:.2f}", wording.seconds(spent), "",
        f"{peaks[0] / peaks[1]:.2f}", f"{disks[0] / disks[1]:.2f}",
    )  # fmt: skip
    return table


def _ratio(planned: Span | None, spent: Span | None) -> str:
    if planned is None or spent is None or not spent.value:
        return wording.NOTHING
    return f"{planned.value / spent.value:.2f}"


if __name__ == "__main__":
    main()
