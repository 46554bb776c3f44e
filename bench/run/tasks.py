"""The task that a plan asks for."""

from __future__ import annotations

from pathlib import Path

from bench.data.cards import Card, find_card
from bench.data.dataset import Dataset, load_dataset, load_file
from bench.data.freezing import prepare_task
from bench.data.nearest import prepare_vectors
from bench.data.protocols import Protocol, parse
from bench.data.task import Task
from bench.run.plan import Home, Plan
from bench.run.supervise import Watch

DEFAULT_PROTOCOL = "user-holdout"
INDEX_ONLY = "nearest"  # of data sets of vectors


def task_for(plan: Plan, home: Home, watch: Watch, share: float = 1.0, tasks: Path | None = None) -> Task:
    """The prepared task, from the cache where it lies there; raises DataError or ProtocolError naming the mend.

    share: of the task, below 1 for a pilot; tasks: the cache that it goes to, where it is another than `home.cache`.
    """
    if plan.protocol:
        parse(plan.protocol)  # a bad name is refused before the data are touched
    card = find_card(plan.dataset) if plan.data is None else None
    if card is not None and card.vectors is not None:
        asked = parse(plan.protocol or INDEX_ONLY)
        watch.stage("prepare", f"{card.title}, {asked.name}")
        return prepare_vectors(
            card,
            asked,
            plan.conventions,
            cache=home.cache,
            data_root=home.data_root,
            eligible=plan.eligible,
            progress=watch.progress,
            share=share,
            tasks=tasks,
        )
    dataset = dataset_for(plan, home, watch)
    protocol = protocol_for(plan.protocol, dataset)
    watch.stage("prepare", f"{dataset.title}, {protocol.name}")
    cache = tasks or home.cache
    return prepare_task(dataset, protocol, plan.conventions, cache=cache, eligible=plan.eligible, share=share)


def protocol_for(text: str, dataset: Dataset) -> Protocol:
    """The protocol that `text` names, "" for the data set's own."""
    return parse(text or own_protocol(dataset.card))


def own_protocol(card: Card | None) -> str:
    """What is taken where no protocol is asked for."""
    own = INDEX_ONLY if card is not None and card.vectors is not None else DEFAULT_PROTOCOL
    return (card.protocol if card else None) or own


def dataset_for(plan: Plan, home: Home, watch: Watch) -> Dataset:
    """The prepared data set that a plan names."""
    watch.stage("data", str(plan.data or plan.dataset))
    ties = plan.conventions.ties
    if plan.data is not None:
        dataset, guess = load_file(plan.data, plan.columns, cache=home.cache, ties=ties, progress=watch.progress)
        if guess:
            watch.log(guess)
        return dataset
    return load_dataset(plan.dataset, cache=home.cache, data_root=home.data_root, ties=ties, progress=watch.progress)
