"""Everything a plugin author imports.

    from bench import Answer, Catalog, Context, Requests, TrainingData, hookimpl, param

A method is a dataclass whose fields are `param(...)`s and whose `@hookimpl` methods are its phases.
"""

from bench.answer import Answer
from bench.context import Context
from bench.data.ragged import Ragged
from bench.data.tables import (
    Catalog,
    Categorical,
    Evaluation,
    Feature,
    Features,
    Interactions,
    MultiCategorical,
    Numeric,
    Requests,
    Text,
    TrainingData,
)
from bench.errors import BenchError, DataError, InvalidAnswer, ParameterError, Unavailable, UsageError
from bench.hookspecs import hookimpl
from bench.metrics.accuracy import recall
from bench.params import param, parameters
from bench.run import parts
from bench.run.hooks import connect, implements

__all__ = [
    "Answer",
    "BenchError",
    "Catalog",
    "Categorical",
    "Context",
    "DataError",
    "Evaluation",
    "Feature",
    "Features",
    "Interactions",
    "InvalidAnswer",
    "MultiCategorical",
    "Numeric",
    "ParameterError",
    "Ragged",
    "Requests",
    "Text",
    "TrainingData",
    "Unavailable",
    "UsageError",
    "connect",
    "hookimpl",
    "implements",
    "param",
    "parameters",
    "parts",
    "recall",
]
