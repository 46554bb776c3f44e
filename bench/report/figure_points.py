"""The numbers that a figure draws: from a suite's runs in the store to points, panel by panel."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.analysis.intervals import mean_intervals
from bench.analysis.regroup import Stored, carried
from bench.errors import UnknownName, UsageError
from bench.metrics.groups import training_groups
from bench.report.columns import Record, lookup, number, peak_memory
from bench.report.figure import Figure
from bench.report.schedule import newest_of
from bench.store.results import Store
from bench.suites import Entry, Suite

ORACLE = ("oracle", "index_loss", "answer_recall")
RECORD = ("latency_ms", "throughput_qps", "work", "task", "phases", "oracle", "metrics", "validation", "method", "live")


@dataclass(frozen=True, slots=True)
class Measured:
    """A number with its interval; low and high are None where it has none. each: of several seeds, whose mean it is."""

    value: float
    low: float | None = None
    high: float | None = None
    each: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """One run in the figure, or the mean of those that differ in their seed alone.

    x: None for bars; values: by measurement, without those that the record lacks; rank: where the suite names the
    method.
    """

    line: str
    rank: int
    x: float | None
    values: Mapping[str, Measured]
    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """The runs that share a panel."""

    title: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """All that a figure draws. In words: missing, failed: the runs of the suite that have no result; lacking: those
    whose record lacks what the figure shows, or some of it.
    """

    title: str
    figure: Figure
    facets: tuple[Facet, ...]
    runs: int
    missing: tuple[str, ...]
    failed: tuple[str, ...]
    lacking: tuple[str, ...]

    @property
    def lines(self) -> list[str]:
        """The names of the lines or bars, in the suite's order."""
        points = sorted((point for facet in self.facets for point in facet.points), key=lambda point: point.rank)
        return list(dict.fromkeys(point.line for point in points))

    @property
    def records(self) -> list[Record]:
        """Of every point."""
        return [record for facet in self.facets for point in facet.points for record in point.records]

    @property
    def seeds(self) -> int:
        """The most seeds of a point."""
        return max(len(point.records) for facet in self.facets for point in facet.points)


def gather(suite: Suite, store: Store, cache: Path) -> Drawing:
    """What the store holds of a suite's figure; `cache` holds the tasks where stored answers are measured again.

    Of equal runs the newest that went well counts. Raises UsageError where there is nothing to draw.
    """
    figure = suite.figure
    if figure is None:
        raise UsageError(f"the suite {suite.title!r} declares no figure; add a [figure] table to it")
    records = store.listed()
    found: list[tuple[Entry, Record]] = []
    missing, failed, lacking = [], [], []
    for entry in suite.entries:
        record = newest_of(entry.plan, records)
        if record is None:
            missing.append(_called(entry))
        elif record.get("status") == "ok":
            found.append((entry, record))
        else:
            failed.append(f"{_called(entry)}: {record.get('status')}")
    again = _Regrouped(figure, found, store, cache)
    facets: dict[str, dict[str, list[Point]]] = {}
    titles: dict[str, str] = {}
    for entry, record in found:
        key = entry.plan.dataset if figure.facet == "dataset" else ""
        titles.setdefault(key, entry.task.title or str(lookup(record, "task", "title")))
        point, lost = _point(figure, entry, record, again)
        if lost:
            how = "not drawn" if point is None else "drawn in part"
            lacking.append(f"{how}: {_called(entry)} has no {', no '.join(_why(name, record) for name in lost)}")
        if point is not None:
            apart = repr((entry.label, entry.task.name, dataclasses.replace(entry.plan, seed=0)))
            facets.setdefault(key, {}).setdefault(apart, []).append(point)
    if not facets:
        said = f"; failed: {', '.join(failed)}" if failed else ""
        said += f"; {'; '.join(lacking[:5])}" if lacking else ""
        mend = "; run bench sweep" if missing or failed else ""
        raise UsageError(f"no run of {suite.title!r} in {store.root} has what its figure shows{said}{mend}")
    return Drawing(
        title=figure.title or suite.title,
        figure=figure,
        facets=tuple(Facet(titles[key], tuple(map(_mean, groups.values()))) for key, groups in facets.items()),
        runs=len(suite.entries),
        missing=tuple(missing),
        failed=tuple(failed),
        lacking=tuple(lacking),
    )


def measure(record: Record, name: str, phases: Iterable[str] = ()) -> Measured | None:
    """A measurement by its name in a figure (see bench.report.figure); None where the record lacks it."""
    head, _, rest = name.partition("@")
    if name == "memory":
        found: object = peak_memory(record)
    elif name == "seconds":
        spent = [number(lookup(record, "phases", phase, "seconds")) for phase in phases]
        known = [seconds for seconds in spent if seconds is not None]
        found = sum(known) if known else None
    elif name.startswith("milestone."):
        found = _reached(record, name.partition(".")[2])
    elif head in ORACLE:
        found = lookup(record, "oracle", f"{'recall' if head == 'oracle' else head}@{rest}")
    elif name.partition(".")[0] == "params":
        found = lookup(record, "method", *name.split("."))
    elif name.partition(".")[0] in RECORD:
        found = lookup(record, *name.split("."))
    else:
        found = lookup(record, "metrics", name)
    value = number(found)
    if value is None or np.isnan(value):
        return None
    return Measured(value, number(lookup({"of": found}, "of", "low")), number(lookup({"of": found}, "of", "high")))


def _reached(record: Record, name: str) -> object:
    """The value of this name in the last milestone that has it, of any phase."""
    phases = lookup(record, "phases")
    passed = [one for phase in (phases.values() if isinstance(phases, Mapping) else ()) for one in _milestones(phase)]
    values = [one[name] for one in passed if name in one]
    return values[-1] if values else None


def _milestones(phase: object) -> Sequence[Mapping[str, object]]:
    said = phase.get("milestones", []) if isinstance(phase, Mapping) else []
    return [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []


def table(drawing: Drawing) -> str:
    """CSV of every number that is drawn, one row a point."""
    names = [name for panel in drawing.figure.y for name in panel]
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    x = [drawing.figure.x] if drawing.figure.x else []
    rows.writerow(["data", "line", *x, *(f"{name}{end}" for name in names for end in ("", " low", " high")), "run"])
    for facet in drawing.facets:
        for point in facet.points:
            cells: list[object] = [_short(point.x)] if x else []
            for name in names:
                found = point.values.get(name)
                cells += [_short(one) for one in ((found.value, found.low, found.high) if found else (None,) * 3)]
            rows.writerow([facet.title, point.line, *cells, " ".join(str(one.get("run_id")) for one in point.records)])
    return out.getvalue()


def _point(figure: Figure, entry: Entry, record: Record, again: _Regrouped) -> tuple[Point | None, list[str]]:
    """The run in the figure and the measurements that its record lacks; no point without the place on the x axis or
    without any value.
    """
    x = measure(record, figure.x, entry.task.phases) if figure.x else None
    if figure.x and x is None:
        return None, [figure.x]
    names = dict.fromkeys(name for panel in figure.y for name in panel)
    values = {}
    for name in names:
        renewed = again.decides(name)
        found = again.measure(record, name) if renewed else measure(record, name, entry.task.phases)
        if found is not None:
            values[name] = found
    lost = [name for name in names if name not in values]
    if not values:
        return None, lost
    return Point(_line(figure, entry, record), entry.at, x.value if x else None, values, (record,)), lost


def _why(name: str, record: Record) -> str:
    """A measurement that a record lacks, with the reason where it is known."""
    unit = lookup(record, "work", "unit")
    of_items = name != "work.share" or unit in (None, "items scored")
    return name if of_items else f"{name} (its work is counted in {unit})"


def _mean(points: Sequence[Point]) -> Point:
    """Runs that differ in their seed alone as one point. An interval is the mean of theirs: all ask the same requests,
    so what the choice of requests leaves open does not shrink with the number of seeds."""
    if len(points) == 1:
        return points[0]
    values = {}
    for name in dict.fromkeys(name for point in points for name in point.values):
        some = [point.values[name] for point in points if name in point.values]
        values[name] = Measured(
            _of([one.value for one in some]) or 0.0,
            _of([one.low for one in some]),
            _of([one.high for one in some]),
            tuple(one.value for one in some),
        )
    records = tuple(record for point in points for record in point.records)
    return dataclasses.replace(points[0], x=_of([point.x for point in points]), values=values, records=records)


def _of(numbers: Sequence[float | None]) -> float | None:
    """The mean; None where one is missing."""
    known = [one for one in numbers if one is not None]
    return float(np.mean(known)) if len(known) == len(numbers) else None


def _line(figure: Figure, entry: Entry, record: Record) -> str:
    """What the figure calls the line of a run."""
    own = {"label": entry.label, "task": entry.task.name, "method": str(lookup(record, "method", "name"))}
    parts = []
    for name in figure.line:
        if name in own:
            parts.append(own[name])
            continue
        found = lookup(record, "method", *name.split(".")) if name.startswith("params.") else measure(record, name)
        value = found.value if isinstance(found, Measured) else found
        parts.append(f"{name.rpartition('.')[2]} {_plain(value)}" if not isinstance(value, str) else value)
    return ", ".join(parts)


def _called(entry: Entry) -> str:
    """A run in words: its label, what it sets beyond its task, where."""
    common = entry.task.plan.settings
    said = [f"{name}={_plain(value)}" for name, value in entry.plan.settings.items() if common.get(name) != value]
    where, name = entry.task.title or entry.plan.dataset, entry.task.name
    own = "" if name == entry.plan.dataset.partition(":")[0] else f" ({name})"
    seed = f", seed {entry.plan.seed}" if entry.plan.seed else ""
    return f"{' '.join([entry.label, *said])} on {where}{own}{seed}"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ",".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


class _Regrouped:
    """Measurements of "/new" items where `new_in` names the task whose training decides which items are new."""

    def __init__(self, figure: Figure, found: Sequence[tuple[Entry, Record]], store: Store, cache: Path) -> None:
        self.store, self.cache, self.asked = store, cache, bool(figure.new_in)
        self.first = {str(lookup(r, "task", "dataset")): r for entry, r in found if entry.task.name == figure.new_in}

    def decides(self, name: str) -> bool:
        """Whether a measurement is taken again here, in place of the record's own."""
        return self.asked and re.fullmatch(r"(recall|oracle)@\d+/new", name) is not None

    def measure(self, record: Record, name: str) -> Measured | None:
        """The recall of the items that are new to the first task; None where the store lacks that run or the answers
        of one, as of a published record."""
        first = self.first.get(str(lookup(record, "task", "dataset")))
        if first is None:
            return None
        try:
            one, other = (Stored.open(self.store, str(run["run_id"]), self.cache) for run in (first, record))
        except UnknownName:
            return None
        new = training_groups(one.task.popularity(), one.task.about["training_items"])["new"]
        items = new if one.task.folder == other.task.folder else carried(new, of=one.task, to=other.task)
        head, k = name.removesuffix("/new").split("@")
        _, values = other.recall(int(k), items, of="oracle" if head == "oracle" else "answers")
        interval = mean_intervals({"recall": values}, seed=0).get("recall")
        return Measured(interval["value"], interval["low"], interval["high"]) if interval else None
