"""What is installed: methods, data sets, protocols, metrics; and one of them in full."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import catalog, params
from bench.errors import BenchError, UnknownName
from bench.metrics.names import GROUPS, METRICS


def first_line(documented: Any) -> str:
    """The first paragraph of a docstring, on one line."""
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n")[0].split())


def paragraphs(text: str) -> str:
    """The text with a line for each paragraph, so that it is broken where the terminal ends; lists stay as they are."""
    found = [part.splitlines() for part in text.split("\n\n")]
    listed = [any(line[:1] in " -*\t" for line in lines if line) for lines in found]
    return "\n\n".join(("\n" if keep else " ").join(lines) for lines, keep in zip(found, listed, strict=True))


def methods() -> RenderableType:
    """Name, what it is, where it comes from; a plugin that cannot be imported keeps its row, with the error."""
    table = _table("method", "what it is", "from")
    for name, entry in catalog.entries(catalog.METHODS).items():
        try:
            table.add_row(name, first_line(catalog.method_class(name)), entry.distribution)
        except BenchError as error:
            table.add_row(Text(name, "red"), Text(str(error), "red"), entry.distribution)
    for name, entry in catalog.entries(catalog.WRAPPERS).items():
        try:
            table.add_row(f"{name}:METHOD", first_line(entry.load()), entry.distribution)
        except BenchError as error:
            table.add_row(Text(f"{name}:METHOD", "red"), Text(str(error), "red"), entry.distribution)
    return table


def datasets() -> RenderableType:
    """Name, title, licence, of every card."""
    from bench.data.cards import card_paths, find_card

    table = _table("data set", "what it is", "protocol", "licence")
    for name in sorted(card_paths()):
        try:
            card = find_card(name)
            table.add_row(name, card.title, card.protocol or "", card.licence)
        except BenchError as error:
            table.add_row(Text(name, "red"), Text(str(error), "red"), "", "")
    return table


def protocols() -> RenderableType:
    """Name, rule and parameters."""
    from bench.data.protocols import protocols as known

    table = _table("protocol", "rule", "parameters")
    for name, protocol in known().items():
        defaults = [f"{one.name}={one.default}" for one in params.parameters(protocol).values()]
        table.add_row(name, first_line(protocol), ", ".join(defaults))
    return Group(table, Text('Give parameters like this: --protocol "user-holdout:users=500,seed=1".', "dim"))


def metrics() -> RenderableType:
    """Built-in metrics, their groups, and those of plugins."""
    table = _table("metric", "what it says", "better", "from")
    for name, described in METRICS.items():
        table.add_row(f"{name}@k", described.meaning, described.better or "", "bench")
    for name, meaning in GROUPS.items():
        table.add_row(f"recall@k/{name}", meaning, "more", "bench")
    table.add_row("oracle recall@k", "what the method's scorer would find if it scored all items", "more", "bench")
    table.add_row("index_loss@k", "share of the oracle's recall that the index loses", "less", "bench")
    for name, entry in catalog.entries(catalog.METRICS).items():
        try:
            table.add_row(name, first_line(entry.load()), "", entry.distribution)
        except BenchError as error:
            table.add_row(Text(name, "red"), Text(str(error), "red"), "", entry.distribution)
    return table


def anything(name: str) -> RenderableType:
    """A method or a data set, whichever has the name."""
    from bench.data.cards import card_paths, split_name

    if ".py:" in name or catalog.parted(name)[0] or name in catalog.entries(catalog.METHODS):
        return method(name)
    known = card_paths()
    if name.partition(":")[0].endswith(".toml") or split_name(name)[0] in known:
        return dataset(name)
    raise UnknownName("method or data set", name, [*catalog.entries(catalog.METHODS), *known])


def method(name: str) -> RenderableType:
    """A method's description and its parameters by phase."""
    cls = catalog.method_class(name)
    parts: list[RenderableType] = [Text(name, "bold"), Text(paragraphs(inspect.getdoc(cls) or "No description."))]
    declared = params.parameters(cls)
    if not declared:
        parts.append(Text("\nIt has no parameters.", "dim"))
    meaning = {
        "train": "changing one trains anew",
        "index": "changing one builds the index anew, without training",
        "query": "changing one costs only new queries",
    }
    for phase in params.PHASES:
        chosen = [parameter for parameter in declared.values() if parameter.phase == phase]
        if chosen:
            parts += [Text.assemble("\n", (f"{phase} parameters", "bold"), (f" ({meaning[phase]})", "dim"))]
            parts.append(parameter_table(chosen))
    if declared:
        some = next(iter(declared.values()))
        shown = name.rpartition(":")[2] if ".py:" in name else name
        parts.append(
            Text(f"Set one like this: --set {some.name}={_value(some.default)}  (or {shown}.{some.name}=...)", "dim")
        )
    return Group(*parts)


def parameter_table(chosen: Sequence[params.Parameter]) -> Table:
    """Name, type, default, what is allowed, meaning, values worth trying."""
    table = _table("name", "type", "default", "allowed", "meaning", "try")
    for one in chosen:
        table.add_row(
            one.name,
            one.type_name,
            _value(one.default),
            one.range_text,
            one.declaration.help,
            " ".join(map(str, one.declaration.sweep)),
        )
    return table


def dataset(name: str) -> RenderableType:
    """A data set's card."""
    from bench.data.cards import find_card

    card = find_card(name)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows = [
        ("data set", card.name),
        ("title", card.title),
        ("home page", card.home),
        ("licence", card.licence),
        ("citation", " ".join(card.citation.split())),
        ("protocol", f"{card.protocol} (when none is asked for)" if card.protocol else "none of its own"),
        ("note", " ".join(card.note.split())),
        *((f"{owner}s", _features(table)) for owner, table in (("item", card.items), ("user", card.users))),
    ]
    for key, value in rows:
        if value:
            table.add_row(key, str(value))
    for file in card.files.values():
        table.add_row("file", " ".join([file.name, *file.urls, f"({file.checksum or 'no checksum published'})"]))
    if card.keep:
        table.add_row("kept", f"rows with {card.keep}")
    if any(card.k_core):
        table.add_row("k-core", f"users with {card.k_core[0]} and items with {card.k_core[1]} interactions or more")
    if card.generator is None:
        return table
    shown = _table("parameter", "default")
    for key, default in card.generator.parameters.items():
        shown.add_row(key, str(default))
    return Group(table, shown, Text(f"Set them like this: --dataset {card.name}:items=1000,seed=3", "dim"))


def _features(table: Any) -> str:
    """ "title (text), price (numeric)"."""
    return ", ".join(f"{rule.name} ({rule.kind})" for rule in table.features) if table else ""


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "(empty)" if value == "" else str(value)


def _table(*names: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for at, name in enumerate(names):
        table.add_column(name, no_wrap=at == 0, style="bold" if at == 0 else "")
    return table
