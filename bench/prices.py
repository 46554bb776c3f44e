"""What a person pays for machines, as a TOML file that they give; nothing here knows a price by itself.

    currency = "EUR"
    core_hour = 0.034        # a core for an hour
    gb_hour = 0.004          # a gigabyte (10^9 bytes) of memory for an hour
    gpu_hour = 2.10          # a GPU for an hour
    gb_month = 0.08          # a gigabyte stored for a month
    requests = 1e6           # how many are paid for; left out: a million

What is left out is not counted, except the processor that does the work: without its price there is no sum.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from bench.errors import UnknownName, UsageError

REQUESTS = 1e6


@dataclass(frozen=True, slots=True)
class Prices:
    """See the module; None for a price that was not given."""

    currency: str
    core_hour: float | None = None
    gb_hour: float | None = None
    gpu_hour: float | None = None
    gb_month: float | None = None
    requests: float = REQUESTS

    def __str__(self) -> str:
        """In one line, for beneath a table."""
        given = [(name, getattr(self, name)) for name in WORDS]
        return ", ".join(f"{WORDS[name]} {price:g} {self.currency}" for name, price in given if price is not None)


WORDS = {
    "core_hour": "an hour of a core",
    "gb_hour": "an hour of a GB of memory",
    "gpu_hour": "an hour of a GPU",
    "gb_month": "a month of a stored GB",
}


def load_prices(path: Path) -> Prices:
    """The prices in a TOML file; raises UsageError that names the file and what to mend."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the prices cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from error
    known = [field.name for field in fields(Prices)]
    for key in said:
        if key not in known:
            raise UnknownName(f"price in {path}", key, known)
    currency = said.pop("currency", None)
    if not isinstance(currency, str) or not currency.strip():
        raise UsageError(f'{path}: say in which currency the prices are: currency = "EUR"')
    for key, price in said.items():
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price < math.inf:
            raise UsageError(f"{path}: {key} = {price!r} should be a number of at least 0")
    if said.get("requests") == 0:
        raise UsageError(f"{path}: requests = 0 leaves nothing to pay for; leave it out for a million")
    if "core_hour" not in said and "gpu_hour" not in said:
        raise UsageError(f"{path}: no price of a processor; give core_hour, gpu_hour or both")
    return Prices(currency, **{key: float(price) for key, price in said.items()})
