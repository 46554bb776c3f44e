"""From the options of `bench run` to plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.data.conventions import Conventions
from bench.errors import Unavailable, UnknownName, UsageError
from bench.run.plan import Limits, Live, Plan

DEFAULT_DATASET = "synthetic"
DEFAULT_KS = (10, 50, 200)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the options say: every method on every data set."""

    methods: Sequence[str]
    settings: Sequence[tuple[str, str]]
    ks: tuple[int, ...]
    seed: int
    datasets: Sequence[str]
    data: Path | None
    columns: Mapping[str, str] | None
    protocol: str
    eligible: Path | None
    conventions: Conventions
    limits: Limits
    device: str
    threads: int
    timing: str
    slo_ms: float
    energy: bool
    live: bool
    remove: float | None

    def plans(self) -> list[Plan]:
        """One plan a method and data set, the methods of one data set after another; raises UsageError."""
        if not self.methods:
            raise UsageError("name a method: bench run --method dvf (bench list methods shows what there is)")
        if self.data is not None and self.datasets:
            raise UsageError("give either --data or --dataset: a run has one source of data")
        if self.columns is not None and self.data is None:
            raise UsageError("--columns belongs to --data FILE; the columns of a data set are in its card")
        if self.remove is not None and not self.live:
            raise UsageError("--remove belongs to --live: items leave an index that has been built")
        settings = distribute(self.settings, self.methods)
        return [
            Plan(
                method=method,
                dataset=dataset,
                data=self.data,
                columns=self.columns,
                protocol=self.protocol,
                settings=settings[method],
                conventions=self.conventions,
                eligible=self.eligible,
                live=Live(self.remove or 0.0) if self.live else None,
                ks=depths(self.ks),
                seed=self.seed,
                device=self.device,
                threads=self.threads,
                timing=self.timing,
                slo_ms=self.slo_ms,
                energy=self.energy,
                limits=self.limits,
            )
            for dataset in self.datasets or [DEFAULT_DATASET]
            for method in self.methods
        ]


def depths(ks: tuple[int, ...]) -> tuple[int, ...]:
    """Several are taken as they are; of a single one the usual depths below it are measured too."""
    return ks if len(ks) > 1 else (*(k for k in DEFAULT_KS if k < ks[0]), ks[0])


def distribute(settings: Sequence[tuple[str, str]], methods: Sequence[str]) -> dict[str, dict[str, str]]:
    """Which method gets which: "ef=200" all that declare `ef`, "dvf.ef=200" that one.

    Raises UnknownName for a typo, UsageError where a method would get a parameter twice.
    """
    from bench.catalog import method_class
    from bench.params import parameters

    def declared(method: str) -> dict[str, Any] | None:
        try:
            return dict(parameters(method_class(method)))
        except Unavailable:
            return None  # its run says so; nothing can be checked

    known = {method: declared(method) for method in methods} if settings else {}
    found: dict[str, dict[str, str]] = {method: {} for method in methods}
    for key, value in settings:
        owners = [method for method in methods if key.startswith(f"{_short(method)}.")]
        name = key[len(_short(owners[0])) + 1 :] if owners else key
        takers = [method for method in owners or methods if (names := known[method]) is None or name in names]
        if not takers:
            kind = f"parameter of {owners[0]}" if owners else "parameter"
            raise UnknownName(kind, name, {each for method in owners or methods for each in known[method] or {}})
        for method in takers:
            if name in found[method]:
                raise UsageError(
                    f"--set gives {method} {name} twice, {found[method][name]!r} and {value!r}: say it once"
                )
            found[method][name] = value
    return found


def _short(method: str) -> str:
    return method.rpartition(":")[2] if ".py:" in method else method
