"""Training that was interrupted: the folder that outlives it, and the seconds of work that it holds."""

from __future__ import annotations

import json
from pathlib import Path

from bench.cache import write_text

BEGUN = "begun.json"


def kept(folder: Path) -> list[Path]:
    """The files that the method left in an unfinished training's folder."""
    return [path for path in (folder / "state").rglob("*") if path.is_file()]


class Unfinished:
    """What an interrupted training left in `folder`: "state" is lent to the method, the rest is the harness's own.

    Seconds count up to the last file of the state: what a killed process did after it is lost and done again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.state = folder / "state"
        self._begun = folder / BEGUN
        self.state.mkdir(parents=True, exist_ok=True)

    def begin(self) -> float:
        """Another process begins: the seconds of training that those before it left to go on from, 0 for none."""
        seconds = self._seconds()
        write_text(self._begun, json.dumps({"seconds": seconds}))
        return seconds

    def _seconds(self) -> float:
        times = [path.stat().st_mtime for path in kept(self._folder)]
        if not times or not self._begun.exists():
            return 0.0
        before = float(json.loads(self._begun.read_text(encoding="utf-8"))["seconds"])
        return before + max(0.0, max(times) - self._begun.stat().st_mtime)
