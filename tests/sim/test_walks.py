"""ARCHITECTURE.md's walks go where it says: those that can be simulated."""

import msgspec

from attacca.load.workload.scenario import Scenario
from attacca.sim.run import Options, run
from tests.trail import Step, astray, trail, walks
from tests.written import as_written


class Still:
    """A clock that nobody waits for."""

    def now(self) -> float:
        return 0.0

    def wall(self) -> float:
        return 0.0


def crowded(functions: int, memory_mb: int) -> Scenario:
    """So many functions of 512 MB on one worker."""
    told = {
        "name": "walk",
        "workload": {"duration_s": 6},
        "system": {"workers": 1, "cores": 1, "memory_mb": memory_mb, "templates": False},
        "functions": [
            {"name": f"f{n}", "memory_mb": 512, "shape": {"kind": "poisson", "rate": 0.5}, "duration": {"mean_ms": 50}}
            for n in range(functions)
        ],
    }
    return msgspec.convert(told, Scenario)


def entered_by(scenario: Scenario) -> list[Step]:
    with trail() as entered:
        run(scenario, Still(), Options(checks="off"))
    return entered


@as_written
def test_a_simulated_invocation_walks_as_it_is_written() -> None:
    assert astray(walks()["One simulated invocation"], entered_by(crowded(1, 1024))) == []


@as_written
def test_an_eviction_walks_as_it_is_written() -> None:
    assert astray(walks()["One eviction"], entered_by(crowded(3, 600))) == []
    assert astray(walks()["One eviction"], entered_by(crowded(3, 4096))) != [], "where there is room nobody has to go"
