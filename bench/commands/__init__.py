"""The commands of `bench`: each parses its options and calls; what they call lives elsewhere."""

from bench.commands import catalog, results
from bench.commands.cost import cost
from bench.commands.data import data
from bench.commands.figure import figure
from bench.commands.guard import gate, reproduce
from bench.commands.plan import plan
from bench.commands.project import project
from bench.commands.publish import publish
from bench.commands.run import run
from bench.commands.score import score
from bench.commands.sweep import sweep
from bench.commands.time import time

COMMANDS = (
    *(run, score, plan, sweep, time, figure, publish, *results.COMMANDS, cost, project, gate, reproduce, data),
    *catalog.COMMANDS,
)

__all__ = ["COMMANDS"]
