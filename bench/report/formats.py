"""Results as Markdown, CSV, JSON and LaTeX, for files and other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence

from bench.report import wording
from bench.report.columns import PHASES, Column, Record, columns, lookup, number
from bench.report.rows import TaskRows, is_bound, protocol_text
from bench.report.table import Columns, cell
from bench.report.verdict import failure


def markdown(tasks: Sequence[TaskRows], of: Columns = columns) -> str:
    """One pipe table a task, failures below it; of: which columns."""
    parts = []
    for task in tasks:
        shown, rows = _shown(task, of)
        heads = ["method", *(wording.one_line(column.header) for column in shown), "run"]
        ids = [task.short_id(record) for _, record in [*task.ranked(), *task.bounds()]]
        lines = [f"**{task.title}**", ""]
        lines += [part for text in (task.facts, task.notes) if text for part in (text, "")]
        lines += [_pipes(heads), _pipes(["---", *["---:"] * len(shown), "---"])]
        lines += [_pipes([label, *texts, run]) for (label, texts), run in zip(rows, ids, strict=True)]
        lines += ["", *(f"- {failure(label, record).text}" for label, record in task.failed())] if task.failed() else []
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def latex(tasks: Sequence[TaskRows]) -> str:
    """One tabular a task, for the package booktabs."""
    parts = []
    for task in tasks:
        shown, rows = _shown(task)
        heads = ["method", *(wording.one_line(column.header) for column in shown)]
        lines = [
            f"% {task.title}: {task.facts}",
            r"\begin{tabular}{l" + "r" * len(shown) + "}",
            r"\toprule",
            _ampersands(heads),
            r"\midrule",
        ]
        ranked = len(task.ranked())
        for at, (label, texts) in enumerate(rows):
            lines += [r"\midrule"] if 0 < at == ranked else []
            lines.append(_ampersands([label, *texts]))
        lines += [r"\bottomrule", r"\end{tabular}"]
        lines += [f"% {failure(label, record).text}" for label, record in task.failed()]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def comma_separated(tasks: Sequence[TaskRows]) -> str:
    """One line a run, full precision: every metric with its bounds, costs of each phase."""
    lines = [_flat(record, label, task) for task in tasks for label, record in task.pairs()]
    return _csv(lines)


def values(tasks: Sequence[TaskRows], of: Columns) -> str:
    """CSV of some columns alone, one line a finished run, full precision."""
    lines = [
        {"task": task.title, "method": label, "run_id": record.get("run_id")}
        | {column.name: column.value(record) for column in of(task.records)}
        for task in tasks
        for label, record in [*task.ranked(), *task.bounds()]
    ]
    return _csv(lines)


def json_list(tasks: Sequence[TaskRows]) -> str:
    """The records themselves."""
    return json.dumps([record for task in tasks for record in task.records], indent=1, ensure_ascii=False) + "\n"


def json_lines(records: Sequence[Record]) -> str:
    """One record a line."""
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


WRITERS: Mapping[str, Callable[[Sequence[TaskRows]], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "json": json_list,
    "latex": latex,
}


def _csv(lines: Sequence[Mapping[str, object]]) -> str:
    names = list(dict.fromkeys(name for line in lines for name in line))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


def _shown(task: TaskRows, of: Columns = columns) -> tuple[list[Column], list[tuple[str, list[str]]]]:
    pairs = [*task.ranked(), *task.bounds()]
    shown = [
        column
        for column in of([record for _, record in pairs])
        if any(wording.known(column.value(record)) for _, record in pairs)
    ]
    return shown, [
        (f"{label} (bound)" if is_bound(record) else label, [cell(c, record, interval=True) for c in shown])
        for label, record in pairs
    ]


def _flat(record: Record, label: str, task: TaskRows) -> dict[str, object]:
    line: dict[str, object] = {
        "run_id": record.get("run_id"),
        "status": record.get("status"),
        "dataset": lookup(record, "task", "dataset"),
        "protocol": protocol_text(record),
        "method": lookup(record, "method", "name"),
        "label": label,
        "reference": is_bound(record),
        "params": json.dumps(lookup(record, "method", "params") or {}),
        "seed": record.get("seed"),
        "k": record.get("k"),
    }
    for part, prefix in (("metrics", ""), ("validation", "validation "), ("oracle", "oracle ")):
        for name, found in (record.get(part) or {}).items():
            line[f"{prefix}{name}"] = number(found)
            if isinstance(found, Mapping):
                line[f"{prefix}{name} low"], line[f"{prefix}{name} high"] = found.get("low"), found.get("high")
    line["work_mean"], line["work_unit"] = lookup(record, "work", "mean"), lookup(record, "work", "unit")
    line["work_share"] = lookup(record, "work", "share")
    for name in ("mean", "p50", "p95", "p99"):
        line[f"latency_ms_{name}"] = lookup(record, "latency_ms", name)
    line["throughput_qps"] = record.get("throughput_qps")
    for phase in PHASES:
        for name in ("seconds", "peak_rss_bytes", "artifact_bytes"):
            line[f"{phase}_{name}"] = lookup(record, "phases", phase, name)
    line["error"] = failure(label, record).text if record.get("status") != "ok" else ""
    return line


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(_escaped(text) for text in cells) + r" \\"


def _escaped(text: str) -> str:
    for mark in "&%_#$":
        text = text.replace(mark, "\\" + mark)
    return text.replace("±", r"$\pm$").replace("–", "--").replace("~", r"\textasciitilde{}")
