"""The page: one HTML file that asks for nothing over the network. Charts by Vega, tables by DataTables, both inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import itables
import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from bench.metrics.names import GROUPS, METRICS
from bench.publication.charts import Chart
from bench.publication.entries import Entry
from bench.report import turns, wording
from bench.report.columns import columns, lookup, main_k, number
from bench.report.rows import TaskRows, is_bound
from bench.report.sheet import Sheet
from bench.report.table import cell
from bench.report.verdict import failure, verdict
from bench.store.turns import read as read_turns


@dataclass(frozen=True, slots=True)
class Section:
    """One task of the page: its rows, finished ones in order, its charts, and sheets of costs; standings: lines of the
    table of paired tests, each a name for every column, None where the answers are not in the store; turns: the folder
    of the newest result of bench time, None where there is none."""

    rows: TaskRows
    entries: tuple[Entry, ...]
    charts: tuple[Chart, ...]
    sheets: tuple[Sheet, ...]
    standings: tuple[Mapping[str, str], ...] | None = None
    words: str = ""
    turns: Path | None = None


def render(title: str, sections: Sequence[Section], made: str, suite: str) -> str:
    """All of the page; made: the moment, as a person reads it; suite: the text of the suite's file, "" for none."""
    environment = Environment(
        loader=PackageLoader("bench.publication", "."),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = files("bench.publication")
    charts = {f"{at}-{chart.name}": chart.spec for at, one in enumerate(sections) for chart in one.charts}
    records = [entry.record for one in sections for entry in one.entries]
    return environment.get_template("page.html.j2").render(
        title=title,
        made=made,
        suite=suite,
        sections=[_section(at, one) for at, one in enumerate(sections)],
        machines=_machines(records),
        glossary=_glossary(records),
        style=Markup(parts.joinpath("page.css").read_text(encoding="utf-8")),
        script=Markup(parts.joinpath("page.js").read_text(encoding="utf-8")),
        charts=_data(charts),
        vega=_code(vl_convert.javascript_bundle()) if charts else "",  # type: ignore[call-arg]
        tables=_data(_tables()),
    )


def _section(at: int, section: Section) -> dict[str, Any]:
    task = section.rows
    shown = [
        column
        for column in columns([entry.record for entry in section.entries])
        if any(wording.known(column.value(entry.record)) for entry in section.entries)
    ]
    rows = []
    for entry in section.entries:
        cells = []
        for column in shown:
            value = column.value(entry.record)
            text = cell(column, entry.record, interval=True)
            number, _, interval = text.partition(" ±")
            cells.append({"text": number, "interval": interval, "order": "" if value is None else repr(value)})
        rows.append(
            {
                "label": entry.label,
                "bound": is_bound(entry.record),
                "run": entry.run,
                "href": entry.href,
                "cells": cells,
            }
        )
    said = [verdict(entry.label, entry.record, task).text for entry in section.entries]
    return {
        "id": at,
        "title": task.title,
        "facts": task.facts,
        "notes": task.notes.splitlines(),
        "heads": [wording.one_line(column.header) for column in shown],
        "rows": rows,
        "verdicts": said,
        "failures": [failure(label, record).text for label, record in task.failed()],
        "charts": [
            {"id": f"{at}-{chart.name}", "title": chart.title, "words": chart.words} for chart in section.charts
        ],
        "sheets": section.sheets,
        "links": _links(section.entries),
        "standings": section.standings,
        "words": section.words,
        "turns": None if section.turns is None else _turns(section.turns),
        "k": main_k(task.records),
    }


def _links(entries: Sequence[Entry]) -> dict[str, list[tuple[str, str]]]:
    """Of every label, and of what labels of several seeds share, the runs: how each is called, and its record."""
    found = {entry.label: [(entry.run, entry.href)] for entry in entries}
    for entry in entries:
        setting, comma, _ = entry.label.rpartition(", seed ")
        if comma:
            found.setdefault(setting, []).append((entry.run, entry.href))
    return found


def _turns(folder: Path) -> dict[str, Any]:
    """A table for each kind of call that was timed in turn."""
    record = read_turns(folder)
    tables = [
        {"head": turns.HEADS[kind], "lines": turns.lines(record, kind), "words": turns.floor(record, kind)}
        for kind in record["modes"]
    ]
    return {"tables": tables, "words": turns.words(record), "href": f"turns/{folder.name}/record.json"}


def _machines(records: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Each machine and set of versions once, with how many runs it made."""
    found: dict[str, dict[str, str]] = {}
    counts: dict[str, int] = {}
    for record in records:
        machine, provenance = record.get("machine") or {}, record.get("provenance") or {}
        versions = lookup(record, "machine", "libraries") or {}
        said = {
            "processor": f"{machine.get('cpu')}, {machine.get('cores')} cores, "
            f"{wording.size(number(machine.get('memory_bytes')))} of memory",
            "graphics": ", ".join(machine.get("gpu") or []) or "none",
            "system": f"{machine.get('system')}, Python {machine.get('python')}",
            "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
            "commit": str(provenance.get("commit", "unknown"))[:12]
            + (" with changes" if provenance.get("dirty") else ""),
            "threads": str((provenance.get("build") or {}).get("threads", "unknown")),
        }
        key = json.dumps(said)
        found[key] = said
        counts[key] = counts.get(key, 0) + 1
    return [{**said, "runs": str(counts[key])} for key, said in found.items()]


def _glossary(records: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """What the metrics and groups of these records mean."""
    names = {name for record in records for name in record.get("metrics") or {}}
    metrics = {name.partition("@")[0] for name in names}
    groups = {name.partition("/")[2] for name in names}
    said = [(f"{name}@k", one.meaning) for name, one in METRICS.items() if name in metrics]
    return said + [(f"/{name}", text) for name, text in GROUPS.items() if name in groups]


def _tables() -> dict[str, str]:
    """DataTables: its code, which is a module, and its style."""
    folder = files(itables).joinpath("html")
    return {
        "code": folder.joinpath("dt_bundle.js").read_text(encoding="utf-8"),
        "style": folder.joinpath("dt_bundle.css").read_text(encoding="utf-8"),
    }


def _code(text: str) -> Markup:
    """JavaScript for inside of a script element."""
    return Markup(text.replace("</script", "<\\/script"))


def _data(value: Any) -> Markup:
    """JSON for inside of a script element: nothing in it can end the element."""
    return Markup(json.dumps(value, ensure_ascii=True).replace("<", "\\u003c"))
