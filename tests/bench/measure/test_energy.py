"""Energy: what of codecarbon goes into a record, by a tracker made up and by the real one where it is installed."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from bench.errors import Unavailable
from bench.measure import energy
from bench.measure.energy import Energy, source


class Tracker:
    """Says after `stop` that a block took 1 Wh of the processor and 2 Wh of memory; remembers how it was made."""

    made: dict[str, object]
    result = True

    def __init__(self, **asked):
        type(self).made, self.running = asked, False
        self._conf = {"hardware": ["RAM()", "CPU(Intel Rapl)"]}

    def start(self):
        self.running = True

    def stop(self):
        assert self.running
        if self.result:
            self.final_emissions_data = SimpleNamespace(cpu_energy=0.001, gpu_energy=0.0, ram_energy=0.002)


@pytest.fixture
def tracker(monkeypatch):
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = Tracker
    monkeypatch.setitem(sys.modules, "codecarbon", module)
    monkeypatch.setattr(Tracker, "result", True)
    return Tracker


def test_a_block_is_told_in_joules_with_the_way_of_each_part(tracker):
    with Energy(asked=True) as spent:
        assert spent.told == {}
    assert spent.told["energy"] == {
        "joules": pytest.approx(10_800.0),
        "parts": {"memory": pytest.approx(7200.0), "processor": pytest.approx(3600.0)},
        "sources": {"memory": "estimated", "processor": "measured (Intel Rapl)"},
    }


def test_nothing_is_written_sent_or_locked(tracker):
    with Energy(asked=True):
        pass
    assert tracker.made["output_methods"] == []
    assert tracker.made["allow_multiple_runs"] is True
    assert energy.ENVIRONMENT["CODECARBON_TELEMETRY_LEVEL"] == "disabled"


def test_a_tracker_without_a_result_makes_no_figure_up(tracker, monkeypatch):
    monkeypatch.setattr(tracker, "result", False)
    with Energy(asked=True) as spent:
        pass
    assert spent.told["energy"]["joules"] is None


def test_an_estimate_is_never_called_a_measurement():
    assert source("CPU(Intel Rapl)") == ("processor", "measured (Intel Rapl)")
    assert source("CPU(Cpu Load)") == ("processor", "estimated (Cpu Load)")
    assert source("CPU(AMD EPYC > 85W [generic])") == ("processor", "estimated (AMD EPYC > 85W [generic])")
    assert source("RAM()") == ("memory", "estimated")
    assert source("GPU(H100)") == ("graphics", "measured (H100)")


def test_what_was_not_asked_for_costs_nothing(monkeypatch):
    monkeypatch.setitem(sys.modules, "codecarbon", None)  # an import would fail
    with Energy(asked=False) as spent:
        pass
    assert spent.told == {}


def test_a_missing_codecarbon_is_said_with_the_mend(monkeypatch):
    monkeypatch.setattr(energy.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"pip install 'bench\[energy\]'"):
        energy.refuse_absent()


def test_the_real_tracker_tells_every_part_and_leaves_no_file(tmp_path, monkeypatch):
    pytest.importorskip("codecarbon")
    monkeypatch.chdir(tmp_path)
    with Energy(asked=True) as spent:
        sum(range(3_000_000))
    told = spent.told["energy"]
    assert told["joules"] > 0 and set(told["parts"]) == set(told["sources"]) >= {"processor", "memory"}
    assert all(way.startswith(("measured", "estimated")) for way in told["sources"].values())
    assert not list(tmp_path.iterdir())
