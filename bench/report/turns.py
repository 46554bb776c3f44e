"""Methods timed in turn: a table for each kind of call, beside the baseline and the noise floor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.analysis.comparison import SIGNIFICANCE
from bench.measure.competing import NOISY
from bench.report import wording
from bench.report.contrast import p_text

STYLES = {"faster": "green", "slower": "red", "not distinguishable": "dim", "baseline": "dim"}
HEADS = {
    "single": "one request a call, on one thread",
    "batch": "all requests in one call, on all threads",
    "device": "one request a call, on the device",
    "device batch": "all requests in one call, on the device",
}


def render(record: Mapping[str, Any]) -> RenderableType:
    """All tables of a record, what they mean, and who has no times."""
    parts: list[RenderableType] = []
    for kind in record["modes"]:
        told = lines(record, kind)
        head = Text.assemble((HEADS[kind], "bold"), f"  {record['task']['title']}")
        parts += [head, _table(told), Text(f"{floor(record, kind)}\n", "dim")]
    parts.append(Text(words(record), "dim"))
    parts += [Text(f"✗ {label} was not timed: {why}", "red") for label, why in record["left_out"].items()]
    return Group(*parts)


def lines(record: Mapping[str, Any], kind: str) -> list[dict[str, str]]:
    """The methods, fastest first, as texts, a name for every column."""
    told = []
    for one in record["modes"][kind]["methods"]:
        line = {"method": str(one["label"])}
        if kind.endswith("batch"):
            line["req/s"] = wording.count(1 / one["seconds"])
        else:
            line["p50 ms"] = wording.milliseconds(1e3 * one["seconds"])
            line["p99 ms"] = wording.milliseconds(1e3 * one["p99_seconds"])
        line |= {"time": "×1", "95% interval": "", "p (Holm)": "", "verdict": "baseline"}
        if one["ratio"] is not None:
            ratio = one["ratio"]
            line["time"] = f"×{times(ratio['ratio'])}"
            line["95% interval"] = f"×{times(ratio['low'])} to ×{times(ratio['high'])}"
            line["p (Holm)"] = p_text(one["p_value"])
            line["verdict"] = one["verdict"]
        told.append(line)
    return told


def floor(record: Mapping[str, Any], kind: str) -> str:
    """What the machine alone made different."""
    found = record["modes"][kind]["floor"]
    size = max(found["ratio"], 1 / found["ratio"]) - 1
    said = (
        f"Noise floor: {record['baseline']} beside itself, in processes of its own, took ×{times(found['ratio'])} the "
        f"time (×{times(found['low'])} to ×{times(found['high'])}); a difference of {wording.percent(size)} or less is "
        f"not called one."
    )
    if found["p_value"] <= SIGNIFICANCE:
        said += f" It should be equal, and chance alone makes this once in {1 / found['p_value']:,.0f} suites: repeat."
    return said


def words(record: Mapping[str, Any]) -> str:
    """How the times came about."""
    course, cores = record["course"], record["competing_cores"]
    return (
        f"Times are of the median call of a turn; all methods were asked the same requests. Ratios are to "
        f"{record['baseline']}'s time, paired by start, with Student's interval and test over {course['starts']} "
        f"starts of every process, corrected by Holm. A start has two rounds in turn, the second in reverse, "
        f"{course['seconds']:g} s a turn. Other work took {cores:.1f} cores meanwhile"
        f"{', so the machine was not quiet' if cores > NOISY else ''}."
    )


def times(value: float) -> str:
    """A ratio: 0.987, 14.3."""
    return f"{value:.3f}" if value < 10 else f"{value:,.1f}"


def _table(told: Sequence[Mapping[str, str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in told[0]:
        left = name in ("method", "95% interval", "verdict")
        table.add_column(name, justify="left" if left else "right", no_wrap=name != "method")
    for line in told:
        table.add_row(*(Text(text, STYLES.get(text, "")) for text in line.values()))
    return table
