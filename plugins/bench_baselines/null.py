"""No retrieval at all: what the harness itself costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from bench import Answer, Requests, hookimpl


@dataclass
class Null:
    """Answers nothing, at once: its latency is the harness's own floor, which every report shows.

    Each row is -1 pads ("no item found"), the one constant that is valid for every request, whatever it excludes. The
    answer is made once for a number of requests and k, and handed out again while these stay the same.
    """

    version: ClassVar[str] = "1"
    work_unit: ClassVar[str] = "items scored"

    answer_: Answer = field(default_factory=lambda: _nothing(0, 0), init=False, repr=False)

    @hookimpl
    def train(self) -> None:
        """Nothing to learn."""

    @hookimpl
    def index(self) -> None:
        """Nothing to build."""

    @hookimpl
    def query(self, requests: Requests, k: int) -> Answer:
        shape = (len(requests.keys), k)
        if self.answer_.ids.shape != shape:
            self.answer_ = _nothing(*shape)
        return self.answer_


def _nothing(requests: int, k: int) -> Answer:
    ids = np.full((requests, k), -1, np.int32)  # (B, k)
    ids.setflags(write=False)
    return Answer(ids, work=np.zeros(requests, np.int32))
