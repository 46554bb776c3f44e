"""Successive halving: every trial with little training, the better ones again with more, decided on validation.

Rungs are synchronous: all trials of one have the same training, are ranked among themselves alone, and the winner comes
from the last one. So nothing depends on the order in which trials end, and no value of a short training meets that of a
long one. (Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016.) A
promoted trial trains anew: its schedule of learning rates is another, since it knows how long it will take.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from bench.report import wording
from bench.run.plan import Plan
from bench.tuning import Outcome, Record, Search, attempt, choose, validation

TRAINING = 0.8  # of a search's seconds; the others are for indexing and answering


@dataclass(frozen=True, slots=True)
class Rung:
    """So many trials, each with the same seconds of training."""

    trials: int
    seconds: float


def rungs(search: Search, trials: int) -> list[Rung]:
    """Of `trials`, the best 1 / halving of each rung go on with `halving` times the training, until one is left.

    The last has the seconds that the method's training is told, or less: all rungs together train for no more than
    TRAINING of the search's seconds. That depends on the suite alone, so a search that is resumed asks for the same.
    """
    counts = [trials]
    while counts[-1] > 1:
        counts.append(max(1, counts[-1] // search.halving))
    shares = [float(search.halving) ** -at for at in range(len(counts))][::-1]
    in_all = sum(count * share for count, share in zip(counts, shares, strict=True))
    whole = min(search.training, TRAINING * search.seconds / in_all)
    return [Rung(count, float(f"{whole * share:.4g}")) for count, share in zip(counts, shares, strict=True)]


def planned(search: Search) -> int:
    """How many trials a search carries out, halved or not, if its seconds last."""
    trials = sum(1 for _ in search.plans())
    return sum(rung.trials for rung in rungs(search, trials)) if search.halves else trials


def halve(search: Search, carry_out: Callable[[Plan, str], Record], clock: Callable[[], float] = monotonic) -> Outcome:
    """Run the rungs within the search's seconds, of which all trials' training, indexing and querying count.

    A failed trial goes no further. Where the seconds end early, the highest rung that a trial finished decides.
    """
    contenders = list(search.plans())
    steps = rungs(search, len(contenders))
    records: list[Record] = []
    chosen: Record | None = None
    spent = 0.0
    for number, rung in enumerate(steps, 1):
        finished: list[tuple[Plan, Record]] = []
        for at, plan in enumerate(contenders[: rung.trials], 1):
            if spent >= search.seconds:
                break
            trained = dataclasses.replace(plan, settings={**plan.settings, "seconds": rung.seconds})
            position = f"(rung {number} of {len(steps)}, trial {at} of {rung.trials})"
            record, seconds = attempt(trained, search.seconds - spent, position, carry_out, clock)
            records.append(record)
            spent += seconds
            if record["status"] == "ok":
                finished.append((plan, record))
        chosen = choose([record for _, record in finished], search.select) or chosen
        # a stable sort: the earlier of equals goes first
        contenders = [plan for plan, _ in sorted(finished, key=lambda one: -validation(one[1], search.select))]
    said = ", ".join(f"{rung.trials} of {wording.duration(rung.seconds)}" for rung in steps)
    return Outcome(search, records, chosen, spent, planned(search), f" (training: {said})")
