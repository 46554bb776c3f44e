"""Reading a card's TOML. Every mistake names the card, the key and the mend."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.data.cards import (
    DISTANCES,
    FORMATS,
    KINDS,
    ROLES,
    TIME_UNITS,
    Card,
    FeatureRule,
    File,
    Generator,
    Source,
    Table,
    Vectors,
)
from bench.errors import DataError

_TOP = ("title", "home", "licence", "citation", "protocol", "note", "files", "interactions", "items", "users")
_SOURCE = ("file", "member", "format", "separator", "quote", "encoding", "columns")
_RULES = ("keep", "k_core", "behaviours", "time_unit", "time_format")


def read_card(path: Path, folder: Path | None = None) -> Card:
    """The card in the TOML file `path`; raises DataError. folder: also looked into for its files."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"card {path} is no valid TOML: {error}") from error
    return replace(_Reading(path).card(content), folder=folder)


class _Reading:
    """One card being read; knows its path for the messages."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def fail(self, what: str) -> DataError:
        return DataError(f"card {self.path}: {what}")

    def check(self, where: str, given: Mapping[str, Any], allowed: Iterable[str]) -> None:
        known = list(allowed)
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise self.fail(f"{where} has no key {key!r}.{hint} Known: {', '.join(known)}.")

    def text(self, table: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
        value = table.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.fail(f"{where} needs {key} = a text" + ("" if key in table else f"; add {key} = ..."))
        return value

    def choice(self, value: str, allowed: tuple[str, ...], where: str) -> str:
        if value not in allowed:
            raise self.fail(f"{where} = {value!r} is none of {', '.join(allowed)}")
        return value

    def texts(self, value: Any, where: str) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
            raise self.fail(f"{where} must be a list of texts")
        return tuple(values)

    def table(self, content: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
        value = content.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.fail(f"{key} must be a table: [{key}]")
        return value

    def card(self, content: Mapping[str, Any]) -> Card:
        self.check("the card", content, (*_TOP, "generator", "vectors"))
        kinds = [key for key in ("interactions", "generator", "vectors") if key in content]
        if len(kinds) != 1:
            raise self.fail("needs exactly one of the tables [interactions], [generator] and [vectors]")
        card = Card(
            name=self.path.stem,
            title=self.text(content, "title", "the card"),
            home=self.text(content, "home", "the card", ""),
            licence=self.text(content, "licence", "the card", ""),
            citation=self.text(content, "citation", "the card", ""),
            protocol=self.text(content, "protocol", "the card", "") or None,
            note=self.text(content, "note", "the card", ""),
            files=self.files(content.get("files", [])),
            content=content,
        )
        if (generator := self.table(content, "generator")) is not None:
            self.check("[generator]", generator, ("function", "parameters"))
            function = self.text(generator, "function", "[generator]")
            return replace(card, generator=Generator(function, dict(self.table(generator, "parameters") or {})))
        if (vectors := self.table(content, "vectors")) is not None:
            self.check("[vectors]", vectors, ("file", "train", "test", "neighbors", "distance"))
            file = self.text(vectors, "file", "[vectors]", "")
            train, test, distance = (self.text(vectors, key, "[vectors]") for key in ("train", "test", "distance"))
            self.choice(distance, DISTANCES, "[vectors] distance")
            neighbors = self.text(vectors, "neighbors", "[vectors]", "") or None
            return replace(card, vectors=Vectors(file, train, test, neighbors, distance))
        return self.tables(card, content)

    def files(self, value: Any) -> dict[str, File]:
        if not isinstance(value, list):
            raise self.fail("files must be tables: [[files]]")
        found = {}
        for entry in value:
            if not isinstance(entry, dict):
                raise self.fail("files must be tables: [[files]]")
            self.check("[[files]]", entry, ("name", "url", "md5", "sha256"))
            name = self.text(entry, "name", "[[files]]")
            sums = [f"{kind}:{self.text(entry, kind, name).lower()}" for kind in ("sha256", "md5") if kind in entry]
            found[name] = File(name, self.texts(entry.get("url", []), f"url of {name}"), sums[0] if sums else None)
        return found

    def tables(self, card: Card, content: Mapping[str, Any]) -> Card:
        rules = self.table(content, "interactions") or {}
        self.check("[interactions]", rules, (*_SOURCE, *ROLES, *_RULES, "sources"))
        core = rules.get("k_core", 0)
        pair = {"user": core, "item": core} if isinstance(core, int) else core
        if not isinstance(pair, dict) or set(pair) - {"user", "item"}:
            raise self.fail("k_core must be a number or { user = 5, item = 5 }")
        card = replace(
            card,
            interactions=Table(self.sources("interactions", rules, ROLES, ("user", "item"))),
            keep=self.text(rules, "keep", "[interactions]", ""),
            k_core=(int(pair.get("user", 0)), int(pair.get("item", 0))),
            behaviours=self.texts(rules.get("behaviours", []), "behaviours"),
            time_unit=self.choice(rules.get("time_unit", "seconds"), TIME_UNITS, "time_unit"),
            time_format=self.text(rules, "time_format", "[interactions]", ""),
        )
        for key in ("items", "users"):
            if (said := self.table(content, key)) is not None:
                roles = ("id", "first_seen") if key == "items" else ("id",)
                self.check(f"[{key}]", said, (*_SOURCE, *roles, "sources", "features", "label"))
                features = self.features(key, self.table(said, "features") or {})
                label = said.get("label")
                if label is not None and label not in [one.name for one in features if one.kind == "text"]:
                    raise self.fail(f"[{key}] label = {label!r} is none of its text features")
                table = Table(self.sources(key, said, roles, ("id",)), features, label)
                card = replace(card, items=table) if key == "items" else replace(card, users=table)
        return card

    def sources(
        self, key: str, said: Mapping[str, Any], roles: tuple[str, ...], needed: tuple[str, ...]
    ) -> tuple[Source, ...]:
        shared = {name: said[name] for name in (*_SOURCE, *roles) if name in said}
        forms = said.get("sources", [{}])
        if not isinstance(forms, list) or not all(isinstance(form, dict) for form in forms):
            raise self.fail(f"the forms of {key} must be tables: [[{key}.sources]]")
        for form in forms:
            self.check(f"[[{key}.sources]]", form, (*_SOURCE, *roles))
        found = tuple(self.source(key, {**shared, **form}, roles, needed) for form in forms)
        if any(set(one.names) != set(found[0].names) for one in found):
            raise self.fail(f"all [[{key}.sources]] must name the same of {', '.join(roles)}")
        return found

    def source(self, key: str, form: Mapping[str, Any], roles: tuple[str, ...], needed: tuple[str, ...]) -> Source:
        where = f"[{key}]"
        file = self.text(form, "file", where)
        names = {role: self.text(form, role, where) for role in roles if role in form or role in needed}
        kind = form.get("format") or format_of(form.get("member") or file)
        if kind is None:
            raise self.fail(f"{where} cannot tell the format of {file!r}; add format = one of {', '.join(FORMATS)}")
        self.choice(kind, FORMATS, f"{where} format")
        if kind == "dat" and "separator" not in form:
            raise self.fail(f"{where} {file} is a .dat file: add separator = ...")
        return Source(
            file=file,
            format=kind,
            names=names,
            member=form.get("member"),
            separator=self.text(form, "separator", where, "\t" if kind == "tsv" else ","),
            quote=self.text(form, "quote", where, '"' if kind == "csv" else ""),
            encoding=self.text(form, "encoding", where, "utf-8"),
            columns=self.texts(form.get("columns", []), f"{where} columns"),
        )

    def features(self, key: str, said: Mapping[str, Any]) -> tuple[FeatureRule, ...]:
        found = []
        for name, value in said.items():
            where = f"[{key}.features] {name}"
            rule = {"kind": value} if isinstance(value, str) else value
            if not isinstance(rule, dict):
                raise self.fail(f'{where} must be a kind or a table: {{ kind = "categorical", column = "..." }}')
            self.check(where, rule, ("kind", "column", "columns", "separator", "pattern"))
            columns = self.texts(rule.get("columns", rule.get("column", name)), f"{where} columns")
            kind = self.choice(rule.get("kind", ""), KINDS, f"{where} kind")
            if len(columns) > 1 and kind != "multi":
                raise self.fail(f"{where}: several columns make a one-hot feature; set kind = 'multi'")
            if rule.get("pattern") is not None:
                self.pattern(rule["pattern"], where)
            found.append(FeatureRule(name, kind, columns, rule.get("separator"), rule.get("pattern")))
        return tuple(found)

    def pattern(self, text: Any, where: str) -> None:
        try:
            groups = re.compile(text).groups
        except (re.error, TypeError) as error:
            raise self.fail(f"{where}: pattern = {text!r} is no regular expression: {error}") from error
        if not groups:
            raise self.fail(f"{where}: pattern = {text!r} has no group; put what is the value into ( )")


def format_of(name: str) -> str | None:
    """The format that a file's name tells, compression aside; None where it tells nothing."""
    stem = name.lower()
    for ending in (".gz", ".zip"):
        stem = stem.removesuffix(ending)
    for endings, kind in (
        ((".csv",), "csv"),
        ((".tsv", ".tab"), "tsv"),
        ((".dat",), "dat"),
        ((".jsonl", ".ndjson", ".json"), "jsonl"),
        ((".parquet", ".pq"), "parquet"),
    ):
        if stem.endswith(endings):
            return kind
    return None
