"""Cards: the TOML files that say what a data set is, where it comes from and how it is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Card:
    """A data set's card.

    protocol: the protocol that `bench run` takes when none is asked for; time: what the timestamps are: "seconds",
    "periods" (coarse, many ties), "order" (no timestamps, the rows of a user are in order) or "none".
    """

    name: str
    title: str
    home: str
    licence: str
    citation: str
    protocol: str | None
    time: str
    note: str
    content: Mapping[str, Any]  # the parsed TOML
