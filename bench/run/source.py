"""A digest of a method's algorithm: an edited line changes it, an edited comment or docstring does not."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
from collections.abc import Iterator
from pathlib import Path

SHARED_PREFIX = "bench_"


def source_digest(cls: type) -> str:
    """sha256 over the syntax trees of the class's package and of every `bench_*` package that these import.

    A class from a single file brings that file alone; one that holds another method (`held`), that method's too.
    Versions of other libraries are provenance, not identity.
    """
    if hasattr(cls, "held"):
        return hashlib.sha256(f"{_digest(cls)} {source_digest(cls.held)}".encode()).hexdigest()
    return _digest(cls)


def _digest(cls: type) -> str:
    root = cls.__module__.partition(".")[0]
    file = Path(inspect.getfile(cls))
    folders = {root: file.parent} if (file.parent / "__init__.py").exists() else {}
    trees: dict[str, str] = {}
    names: list[str] = []
    if "." in cls.__module__ and folders:
        names = [root]
    else:
        trees[file.name], names = _read(file)
    done: set[str] = set()
    while names:
        name = names.pop()
        if name in done:
            continue
        done.add(name)
        for path in _files(name):
            text, imported = _read(path)
            trees[f"{name}/{path.name}"] = text
            names += imported
    return hashlib.sha256("\n".join(f"{key} {trees[key]}" for key in sorted(trees)).encode()).hexdigest()


def _files(package: str) -> Iterator[Path]:
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        yield from sorted(Path(folder).rglob("*.py"))


def _read(path: Path) -> tuple[str, list[str]]:
    tree = ast.parse(path.read_bytes())
    imported = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.append(node.module)
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body[0] = ast.Pass()
    roots = [name.partition(".")[0] for name in imported]
    return ast.dump(tree), [name for name in roots if name.startswith(SHARED_PREFIX)]
