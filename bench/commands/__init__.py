"""The commands of `bench`: each parses its options and calls; what they call lives elsewhere."""

from bench.commands import catalog, results
from bench.commands.cost import cost
from bench.commands.data import data
from bench.commands.figure import figure
from bench.commands.publish import publish
from bench.commands.run import run
from bench.commands.sweep import sweep

COMMANDS = (run, sweep, figure, publish, *results.COMMANDS, cost, data, *catalog.COMMANDS)

__all__ = ["COMMANDS"]
