"""Methods timed in turn: who takes less time than a baseline, and what the machine alone makes different.

Two processes of the same program differ for as long as they live (where their memory lies, which pages share a cache
line's place), so that more rounds of the same processes measure that chance ever more exactly, and equal methods are
called different nearly every second time. Hence the unit is a start, in which every method has a fresh process
(Kalibera and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from bench.analysis.comparison import SIGNIFICANCE, holm
from bench.analysis.intervals import LEVEL

Verdict = Literal["faster", "slower", "not distinguishable"]


@dataclass(frozen=True, slots=True)
class Ratio:
    """The time of one method over that of another, with its interval low to high and the p-value of equal times."""

    ratio: float
    low: float
    high: float
    p_value: float

    @property
    def size(self) -> float:
        """How far it is from 1, whichever of the two is above: at least 1."""
        return max(self.ratio, 1 / self.ratio)


@dataclass(frozen=True, slots=True)
class Turned:
    """A method's time beside the baseline's. seconds: the geometric mean of its turns; p_value: corrected by Holm for
    how many methods stand beside the baseline; ratio, p_value, verdict: None for the baseline."""

    label: str
    seconds: float
    ratio: Ratio | None = None
    p_value: float | None = None
    verdict: Verdict | None = None


def time_ratio(contender: NDArray[Any], baseline: NDArray[Any], level: float = LEVEL) -> Ratio:
    """Of seconds float [S, R], all above 0: S starts (2 at least), in each R turns of the same process.

    A start's difference is that of its mean logarithms: where the second half of its turns is the first in reverse, a
    steady drift cancels. Student's t over the S differences gives the interval and the two-sided p-value.
    """
    apart = np.log(contender).mean(1) - np.log(baseline).mean(1)  # (S,)
    starts = len(apart)
    if starts < 2:
        raise ValueError(f"{starts} start: two are the least that vary")
    mean, error = float(apart.mean()), float(apart.std(ddof=1) / np.sqrt(starts))
    width = error * float(student.ppf((1 + level) / 2, starts - 1))
    p_value = 2 * float(student.sf(abs(mean) / error, starts - 1)) if error else float(mean == 0)
    return Ratio(float(np.exp(mean)), float(np.exp(mean - width)), float(np.exp(mean + width)), p_value)


def in_turn(seconds: Mapping[str, NDArray[Any]], baseline: str, again: NDArray[Any]) -> tuple[list[Turned], Ratio]:
    """The methods, fastest first, and the baseline beside itself: the noise floor.

    seconds: label -> float [S, R] as in `time_ratio`; again: the baseline's in processes of their own, [S, R]. A method
    is faster or slower where Holm's p-value is 5% at most and its ratio is further from 1 than the floor's.
    """
    floor = time_ratio(again, seconds[baseline])
    ratios = {label: time_ratio(own, seconds[baseline]) for label, own in seconds.items() if label != baseline}
    corrected = dict(zip(ratios, holm([one.p_value for one in ratios.values()]).tolist(), strict=True))
    found = []
    for label, own in seconds.items():
        mean = float(np.exp(np.log(own).mean()))
        if label == baseline:
            found.append(Turned(label, mean))
        else:
            ratio, p_value = ratios[label], corrected[label]
            found.append(Turned(label, mean, ratio, p_value, _verdict(ratio, p_value, floor)))
    return sorted(found, key=lambda one: one.seconds), floor


def _verdict(ratio: Ratio, p_value: float, floor: Ratio) -> Verdict:
    if p_value > SIGNIFICANCE or ratio.size <= floor.size:
        return "not distinguishable"
    return "faster" if ratio.ratio < 1 else "slower"
