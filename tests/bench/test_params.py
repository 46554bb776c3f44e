from dataclasses import dataclass, field

import pytest

from bench.errors import ParameterError, UnknownName
from bench.params import build, param, parameters, resolve


@dataclass
class Method:
    """A method."""

    dim: int = param(64, help="width", low=1, high=1024)
    rate: float = param(0.01, help="learning rate", low=0.0)
    kind: str = param("exact", phase="index", help="which index", choices=("exact", "hnsw"))
    ef: tuple[int, ...] = param((100, 200), phase="query", help="beam widths", low=1)
    norm: bool = param(True, help="normalise")
    vectors_: object = field(init=False, default=None)


def test_texts_become_the_declared_types():
    built = build(Method, {"dim": "32", "rate": "1e-3", "ef": "5,6,7", "norm": "off", "kind": "hnsw"})
    assert (built.dim, built.rate, built.ef, built.norm, built.kind) == (32, 1e-3, (5, 6, 7), False, "hnsw")
    assert build(Method, {"ef": 5}).ef == (5,)
    assert build(Method, {"dim": "1e2"}).dim == 100


def test_a_misspelt_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(UnknownName, match="Did you mean 'rate'"):
        resolve(Method, {"ratee": 1})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("dim", "many", "is no int"),
        ("dim", 1.5, "is no int"),
        ("dim", True, "is no int"),
        ("dim", "inf", "is no int"),
        ("dim", 0, "1 to 1024"),
        ("dim", 5000, "1 to 1024"),
        ("rate", -1, "at least 0"),
        ("rate", "nan", "not allowed"),
        ("rate", "inf", "not allowed"),
        ("kind", "hnws", r"exact \| hnsw"),
        ("kind", 3, "is no str"),
        ("ef", "5,x", "is no list of int"),
        ("ef", "5,0", "at least 1"),
        ("norm", "maybe", "is no bool"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused(name, value, said):
    with pytest.raises(ParameterError, match=said):
        resolve(Method, {name: value})


def test_learnt_state_is_no_parameter_and_a_bare_field_is_refused():
    assert list(parameters(Method)) == ["dim", "rate", "kind", "ef", "norm"]
    assert parameters(Method)["ef"].phase == "query"

    @dataclass
    class Bare:
        dim: int = 3

    with pytest.raises(ParameterError, match="without param"):
        parameters(Bare)


def test_an_unknown_phase_is_refused():
    with pytest.raises(ParameterError, match="train, index, query"):
        param(1, phase="serve", help="")
