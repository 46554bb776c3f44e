"""Which rows of a report belong together, how each is called, and in which order they stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from bench import params
from bench.data.protocols import protocols
from bench.errors import UnknownName
from bench.measure.competing import NOISY
from bench.report import findings
from bench.report.columns import Record, columns, lookup, main_k, measured, number


@dataclass(frozen=True, slots=True)
class TaskRows:
    """The rows of one task: only they may be compared.

    labels: what tells the rows apart, in the order of `records`; short_ids: of a run id, what is shown of it.
    """

    title: str
    facts: str
    notes: str
    records: tuple[Record, ...]
    labels: tuple[str, ...]
    short_ids: Mapping[str, str] = field(default_factory=dict)

    def ranked(self) -> list[tuple[str, Record]]:
        """Finished rows of methods."""
        return [row for row in self.pairs() if succeeded(row[1]) and not is_bound(row[1])]

    def bounds(self) -> list[tuple[str, Record]]:
        """Finished rows of reference methods: what could be reached."""
        return [row for row in self.pairs() if succeeded(row[1]) and is_bound(row[1])]

    def failed(self) -> list[tuple[str, Record]]:
        """Rows without a result."""
        return [row for row in self.pairs() if not succeeded(row[1])]

    def pairs(self) -> list[tuple[str, Record]]:
        """Label and record of every row."""
        return list(zip(self.labels, self.records, strict=True))

    def short_id(self, record: Record) -> str:
        """What `bench inspect` and `bench compare` take for the row; "" for one that is not in the store."""
        return self.short_ids.get(str(record.get("run_id")), "")


def succeeded(record: Record) -> bool:
    """False for a row that holds an error in place of measurements."""
    return record.get("status") == "ok"


def is_bound(record: Record) -> bool:
    """True for a reference method, which knows the truth and is never ranked."""
    return bool(lookup(record, "method", "reference"))


def group(
    records: Iterable[Record], by: str | None = None, short_ids: Mapping[str, str] | None = None
) -> list[TaskRows]:
    """Rows by task, in order of first appearance; each task's by the column `by`, else by the middle recall.

    short_ids: those of the store (`Store.short_ids`), where the rows shall show them.
    """
    tasks: dict[str, list[Record]] = {}
    for record in records:
        key = lookup(record, "task", "fingerprint") or "{}|{}".format(
            lookup(record, "task", "dataset"), _protocol_text(lookup(record, "task", "protocol"))
        )
        tasks.setdefault(str(key), []).append(record)
    return [_task_rows(rows, by, short_ids or {}) for rows in tasks.values()]


def sort(records: Iterable[Record], by: str) -> list[Record]:
    """Best first by a column ("recall@50", "p50", "train", ...) or any metric's name; a leading "-" turns it round.

    Rows without the value come last.
    """
    rows, name = list(records), by.removeprefix("-")
    column = next((column for column in columns(rows) if column.name == name), None)
    values = [column.value(row) if column else measured(row, "metrics", name) for row in rows]
    if any(map(succeeded, rows)) and all(value is None for value in values):
        raise UnknownName("column", name, {column.name for column in columns(rows)})
    known = [(value, at) for at, value in enumerate(values) if value is not None]
    small_first = column is not None and column.best != "high"
    ordered = sorted(known, key=lambda pair: pair[0], reverse=not small_first)
    if by.startswith("-"):
        ordered.reverse()
    return [rows[at] for _, at in ordered] + [row for row, value in zip(rows, values, strict=True) if value is None]


def labels(records: Sequence[Record]) -> list[str]:
    """Method names, with what distinguishes rows of one method: parameters, seed, run."""
    result = []
    for record in records:
        name = str(lookup(record, "method", "name"))
        fellows = [row for row in records if lookup(row, "method", "name") == name]
        parts = [f"{key}={_plain(value)}" for key, value in _distinct(record, fellows)]
        result.append(" ".join([name, *parts]))
    ids = [str(record.get("run_id") or at) for at, record in enumerate(records)]
    specs = [one.partition("/")[0][:8] for one in ids]
    short = specs if len(set(specs)) == len(specs) else [one.rpartition("/")[2] for one in ids]
    return [f"{label} ({short[at]})" if result.count(label) > 1 else label for at, label in enumerate(result)]


def protocol_text(record: Record) -> str:
    """ "user-holdout", with its parameters where they are not told apart by the name."""
    return _protocol_text(lookup(record, "task", "protocol"))


def protocol_label(record: Record) -> str:
    """The protocol's name with the parameters that are not at their defaults: "user-holdout (users=500)"."""
    name, parameters = protocol_text(record), lookup(record, "task", "protocol", "parameters") or {}
    declared = params.parameters(protocols()[name]) if name in protocols() else {}
    changed = [
        f"{key}={value}" for key, value in parameters.items() if key in declared and declared[key].default != value
    ]
    return f"{name} ({', '.join(changed)})" if changed else name


def _settings(record: Record) -> str:
    _, colon, settings = str(lookup(record, "task", "dataset")).partition(":")
    return f" ({settings.replace(',', ', ')})" if colon else ""


def _protocol_text(found: object) -> str:
    if isinstance(found, dict):
        return str(found.get("name"))
    return str(found)


def _task_rows(records: list[Record], by: str | None, short_ids: Mapping[str, str]) -> TaskRows:
    first = next((row for row in records if lookup(row, "task", "title")), records[0])
    title = lookup(first, "task", "title")
    title = f"{title}{_settings(first)}" if title else lookup(first, "task", "dataset") or "unknown data"
    ordered = sort(records, by or f"recall@{main_k(records)}")
    return TaskRows(
        f"{title} · {protocol_label(first)}",
        _facts(first),
        "\n".join(filter(None, (_audited(first), noise(ordered)))),
        tuple(ordered),
        tuple(labels(ordered)),
        short_ids,
    )


def noise(records: Sequence[Record]) -> str:
    """Which rows were timed beside other work; "" where none was."""
    beside = [number(row.get("competing_cores")) or 0.0 for row in records]
    loud = [share for share in beside if share > NOISY]
    if not loud:
        return ""
    which = "All rows" if len(loud) == len(records) else f"{len(loud)} of {len(records)} rows"
    return f"{which} were timed while other work took up to {max(loud):.1f} cores: their times are not to be relied on."


def _audited(record: Record) -> str:
    return "" if lookup(record, "task", "distance") else findings.task_notes(lookup(record, "task", "audit"))


def _facts(record: Record) -> str:
    said = []
    requests = lookup(record, "task", "requests")
    if isinstance(requests, dict):
        requests = requests.get("test")
    distance = lookup(record, "task", "distance")  # of an index-only task
    for value, noun in ((requests, "requests"), (lookup(record, "task", "items"), "vectors" if distance else "items")):
        if isinstance(value, int):
            said.append(f"{value:,} {noun}")
    if distance:
        return " · ".join([*said, str(distance)])
    interactions = lookup(record, "task", "interactions")
    if isinstance(interactions, int):
        said.append(f"{interactions:,} training interactions")
    eligible = lookup(record, "task", "eligible_items")
    if isinstance(eligible, int):
        said.append(f"{eligible:,} items may be answered")
    conventions = lookup(record, "task", "conventions")
    if isinstance(conventions, dict):
        said.append("seen items filtered" if conventions.get("seen") == "filtered" else "seen items answered")
        if conventions.get("repeats") == "each":
            said.append("repeated targets count each time")
        if conventions.get("recall_over") == "min_k":
            said.append("recall over min(k, targets)")
        if conventions.get("candidates") == "training":
            said.append("candidates: items of the training data")
        if conventions.get("ties") == "file":
            said.append("ties in file order")
    return " · ".join(said)


def _distinct(record: Record, fellows: Sequence[Record]) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    params = [lookup(row, "method", "params") or {} for row in fellows]
    own = lookup(record, "method", "params") or {}
    for key in dict.fromkeys(key for values in params for key in values):
        if len({repr(values.get(key)) for values in params}) > 1 and key in own:
            found.append((key, own[key]))
    for key in ("seed", "k"):
        if len({row.get(key) for row in fellows}) > 1:
            found.append((key, record.get(key)))
    shares = [lookup(row, "live", "remove") for row in fellows]
    if len(set(shares)) > 1 and (share := lookup(record, "live", "remove")) is not None:
        found.append(("live", f"-{share:.0%}" if share else "new items"))
    return found


def _plain(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
