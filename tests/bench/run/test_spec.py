import dataclasses

from bench.params import param, parameters
from bench.run.spec import Build, Spec, artifact_key


@dataclasses.dataclass
class Method:
    """One parameter of each phase."""

    dim: int = param(1, phase="train", help="")
    m: int = param(1, phase="index", help="")
    ef: int = param(1, phase="query", help="")


SPEC = Spec("task", "method", "1", {"dim": 1, "m": 1, "ef": 1}, k=10, seed=0, timing="single")
BUILD = Build("source", "cpu", 2)


def keys(spec=SPEC, build=BUILD):
    return [artifact_key(spec, build, parameters(Method), phase) for phase in ("train", "index")]


def test_a_query_parameter_never_rebuilds_and_an_index_parameter_never_retrains():
    def changed(**params):
        return keys(dataclasses.replace(SPEC, params={**SPEC.params, **params}))

    assert changed(ef=2) == keys()
    assert changed(m=2)[0] == keys()[0]
    assert changed(m=2)[1] != keys()[1]
    assert changed(dim=2)[0] != keys()[0]
    assert changed(dim=2)[1] != keys()[1]


def test_k_and_timing_change_no_artifact_but_the_spec():
    other = dataclasses.replace(SPEC, k=20, timing="batch")
    assert keys(other) == keys()
    assert other.id != SPEC.id


def test_a_live_run_is_another_one_that_shares_the_training():
    live, more = (dataclasses.replace(SPEC, live={"remove": share}) for share in (0.0, 0.1))
    assert len({SPEC.id, live.id, more.id}) == 3
    assert keys(live)[0] == keys()[0] == keys(more)[0]
    assert keys(live)[1] == keys(more)[1] != keys()[1], "its index is over the training catalog, whatever leaves later"


def test_task_seed_version_source_device_and_threads_change_every_artifact():
    for change in ({"task": "other"}, {"seed": 1}, {"version": "2"}, {"method": "other"}):
        assert not set(keys(dataclasses.replace(SPEC, **change))) & set(keys())
    for change in ({"source": "edited"}, {"device": "cuda"}, {"threads": 1}):
        assert not set(keys(build=dataclasses.replace(BUILD, **change))) & set(keys())


def test_the_id_is_the_same_in_every_process():
    assert SPEC.id == "25325e6851faeb85"
    assert dataclasses.replace(SPEC, params={"ef": 1, "m": 1, "dim": 1}).id == SPEC.id
    assert dataclasses.replace(SPEC, params={**SPEC.params, "ef": (1, 2)}).id != SPEC.id
