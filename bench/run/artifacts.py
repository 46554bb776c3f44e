"""What phases leave for later ones: kept under an identity, checked before use, built again when damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cache
from bench.run.plan import Elsewhere

Make = Callable[[Path], dict[str, Any]]


def whole(final: Path) -> Path | None:
    """The state folder of the artifact `final`, None where it is missing or damaged."""
    return final / "state" if final.is_dir() and not _damage(final) else None


def obtain(
    final: Path, make: Make, say: Callable[[str], None], elsewhere: Elsewhere | None = None
) -> tuple[Path, dict[str, Any]]:
    """The state folder and measurements of the artifact `final`; `make(state folder)` builds it where it is missing
    here and `elsewhere`, which is then given it."""
    if elsewhere is not None:
        elsewhere.fetch(final)
    if final.is_dir() and (reason := _damage(final)):
        say(f"the cached artifact {final} is damaged ({reason}); it is built again")
        shutil.rmtree(final)
    built = False

    def build(folder: Path) -> None:
        nonlocal built
        built = True
        state = folder / "state"
        state.mkdir()
        measured = make(state)
        files = {str(path.relative_to(state)): _sum(path) for path in sorted(state.rglob("*")) if path.is_file()}
        size = sum((state / name).stat().st_size for name in files)
        about = {**measured, "artifact_bytes": size, "files": files}
        cache.write_text(folder / "artifact.json", json.dumps(about, indent=1))

    cache.build(final, build)
    if built and elsewhere is not None:
        elsewhere.offer(final)
    about = json.loads((final / "artifact.json").read_text(encoding="utf-8"))
    del about["files"]
    return final / "state", {**about, "cached": not built}


def _damage(final: Path) -> str:
    try:
        about = json.loads((final / "artifact.json").read_text(encoding="utf-8"))
        for name, expected in about["files"].items():
            if _sum(final / "state" / name) != expected:
                return f"{name} has changed"
    except (OSError, ValueError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _sum(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "blake2b").hexdigest()[:32]
