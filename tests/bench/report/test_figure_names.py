"""What a figure may name: mistakes are refused by name, and every number of a record may be drawn."""

import json
from pathlib import Path

import pytest

from bench.errors import UnknownName, UsageError
from bench.report.figure import read_figure
from bench.report.figure_names import Known
from bench.report.figure_points import measure
from bench.report.figure_words import axis

RESULTS = Path(__file__).parents[3] / "results"


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ({"kind": "pie", "y": ["recall@5"]}, UnknownName, "bars"),
        ({"kind": "curve", "y": ["recall@5"]}, UsageError, "needs x"),
        ({"kind": "bars", "x": "work.share", "y": ["recall@5"]}, UsageError, "has none"),
        ({"kind": "bars"}, UsageError, "needs y"),
        ({"kind": "bars", "y": [3]}, UsageError, "texts alone"),
        ({"kind": "bars", "why": ["recall@5"]}, UnknownName, "y"),
        ({"kind": "bars", "y": ["recall@5"], "facet": "seed"}, UnknownName, "dataset"),
        ({"kind": "bars", "y": ["recal@5"]}, UnknownName, r"'recal@5' in y of \[figure\] of .* mean 'recall@5'\?"),
        ({"kind": "bars", "y": [["recall@5", "orcale@5"]]}, UnknownName, "Did you mean 'oracle@5'"),
        ({"kind": "bars", "y": ["recall@50"]}, UsageError, r"y of .* 'recall@50', but ks = \[5, 20\] there"),
        ({"kind": "bars", "y": ["recall"]}, UnknownName, "Did you mean 'recall@20'"),
        ({"kind": "bars", "y": ["recall@5/nwe"]}, UnknownName, "no group 'nwe' in y of .* Did you mean 'new'"),
        ({"kind": "bars", "y": ["ndcg@5/new"]}, UnknownName, "no group 'new' in y of .* Known: none"),
        ({"kind": "curve", "x": "work.shre", "y": ["recall@5"]}, UnknownName, r"in x of .* mean 'work\.share'"),
        ({"kind": "curve", "x": "params.neigbours", "y": ["recall@5"]}, UnknownName, "mean 'neighbours'"),
        ({"kind": "bars", "y": ["recall@5"], "line": ["method", "parms.shrink"]}, UnknownName, "in line of"),
        (
            {"kind": "curve", "x": "work.share", "y": ["recall@5"], "log": ["work.shre"]},
            UnknownName,
            r"'work\.shre' in log of .* mean 'work\.share'",
        ),
    ],
)
def test_mistakes_in_a_figure_are_named(said, error, words):
    with pytest.raises(error, match=words):
        read_figure(said, Known("suite.toml", {5, 20}, {"item_cf"}, {"synthetic"}))


@pytest.mark.parametrize("published", sorted(RESULTS.glob("*/records.jsonl")), ids=lambda path: path.parent.name)
def test_every_number_of_a_record_may_be_drawn(published):
    known = Known("suite.toml", {10, 50, 200}, {"dvf", "tdm"}, {"synthetic"})
    parts = ("latency_ms", "throughput_qps", "work", "task", "phases", "oracle", "metrics", "validation")
    records = [json.loads(line) for line in published.read_text(encoding="utf-8").splitlines()]
    names = {name: record for record in records for part in parts for name in numbers(record[part], part)}
    assert len(names) > 100
    for name, record in names.items():
        assert measure(record, name) is not None
        known.check(name, "y")


def test_the_last_milestone_of_a_name_may_be_drawn():
    rounds = [
        {"name": "round 1", "largest path": 9},
        {"name": "round 2", "largest path": 4},
        {"name": "end", "loss": 1},
    ]
    record = {"phases": {"train": {"seconds": 2.0, "milestones": rounds}, "index": {"seconds": 1.0}, "query": None}}
    assert measure(record, "milestone.largest path").value == 4
    assert measure(record, "milestone.loss").value == 1
    assert measure(record, "milestone.others") is None
    Known("suite.toml", {10}, {"dvf"}, {"synthetic"}).check("milestone.largest path", "y")
    assert axis("milestone.largest path") == "largest path"


def numbers(found, path):
    """The paths to the numbers below `path`."""
    if isinstance(found, dict) and "value" not in found:
        return [name for key, value in found.items() for name in numbers(value, f"{path}.{key}")]
    drawn = isinstance(found, dict | int | float) and not isinstance(found, bool)
    return [path] if drawn and ".protocol." not in path else []
