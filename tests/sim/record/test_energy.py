from typing import Any

import msgspec
import pytest

from attacca.kernel.clock import SystemClock
from attacca.load.records.info import hash_of
from attacca.load.workload.scenario import Power, Scenario
from attacca.sim.record.energy import Energy, Spent
from attacca.sim.run import run

PLAIN: dict[str, Any] = {
    "name": "energy",
    "workload": {"duration_s": 10.0},
    "functions": [{
        "name": "f", "memory_mb": 512, "duration": {"mean_ms": 100.0}, "body": {"kind": "busy"},
        "shape": {"kind": "constant", "rate": 2.0, "at_s": 1.0},
    }],
    "system": {"workers": 2, "memory_mb": 1024},
    "hardware": {"overhead": {"mean_ms": 0.0}},
}  # fmt: skip


def scenario(**power: float) -> Scenario:
    hardware = PLAIN["hardware"] | ({"power": power} if power else {})
    return msgspec.convert(PLAIN | {"hardware": hardware}, Scenario)


def test_what_is_spent_is_being_on_and_computing() -> None:
    one = Energy(Power(idle_w=10.0, core_w=8.0, clock=0.5), 1000)
    assert one.spent(60.0, 2) == Spent(energy_j=1200.0, invocation_j=0.0)
    one.ran(2.0, 500.0)
    one.ran(0.0, 0.0)
    assert one.spent(60.0, 2) == Spent(energy_j=1202.0, invocation_j=(2.0 + 5.0) / 2)
    assert repr(one) == "<Energy of 2 invocations, 2 s>"


def test_a_run_says_what_it_took_and_is_the_same_run() -> None:
    plain, powered = (run(one, SystemClock()) for one in (scenario(), scenario(idle_w=40.0, core_w=65.0)))
    assert plain.hash == powered.hash
    assert plain.spent is None
    assert "energy_j" not in plain.as_json()
    assert powered.spent is not None
    assert powered.spent.invocation_j == pytest.approx(0.1 * 65.0 + 0.1 * 40.0 * 512 / 1024, rel=1e-6)
    computing_j = powered.totals.ok * 0.1 * 65.0
    assert powered.spent.energy_j == pytest.approx(40.0 * 2 * powered.virtual_s + computing_j)
    assert powered.info.totals["energy_j"] == powered.as_json()["energy_j"]


def test_a_scenario_that_says_nothing_of_power_is_written_as_before() -> None:
    assert b"power" not in msgspec.json.encode(scenario())
    assert hash_of(scenario()) != hash_of(scenario(idle_w=1.0))
