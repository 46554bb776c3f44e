"""How long work will still take, from how far it has come."""

from __future__ import annotations

import math
from dataclasses import dataclass

SMOOTHING_SECONDS = 10.0


@dataclass(slots=True)
class Pace:
    """The speed of one stage, smoothed exponentially over about ten seconds, with the last moments counting most."""

    done: float = 0.0
    total: float = 0.0
    begun: float | None = None
    seen: float = 0.0
    rate: float | None = None

    def advance(self, done: float, total: float, now: float) -> None:
        """`done` of `total` at the moment `now` (seconds). A step back or another total starts afresh."""
        if self.begun is None or done < self.done or total != self.total:
            self.done, self.total, self.begun, self.seen, self.rate = done, total, now, now, None
            return
        elapsed = now - self.seen
        if elapsed <= 0 or done == self.done:
            return
        recent = (done - self.done) / elapsed
        weight = 1 - math.exp(-elapsed / SMOOTHING_SECONDS)
        self.rate = recent if self.rate is None else self.rate + weight * (recent - self.rate)
        self.done, self.seen = done, now

    def seconds_left(self, now: float) -> float | None:
        """None until there is a speed to judge by; counts down between reports."""
        if not self.rate or self.total <= 0 or self.done >= self.total:
            return None
        return max(0.0, (self.total - self.done) / self.rate - (now - self.seen))

    @property
    def share(self) -> float | None:
        """Done over total, None where no total is known."""
        return min(1.0, self.done / self.total) if self.total > 0 else None
