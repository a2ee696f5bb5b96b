from pathlib import Path

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.lab.validate import calibrated, cautions, planned, toml
from attacca.load.workload.scenario import Distribution, FunctionPlan, Hardware, Scenario, Shape, Workload, read

SCENARIO = Scenario(
    name="small",
    about='"one", of ours',
    functions=(FunctionPlan(name="f", duration=Distribution(mean_ms=5.5), shape=Shape(rate=2.0)),),
    workload=Workload(duration_s=60.0),
)


def test_a_scenario_as_a_file_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(toml(msgspec.to_builtins(SCENARIO)))
    assert read(path) == SCENARIO
    assert planned(path, 7, "").seed == 7


def test_calibrated_hardware_is_a_table_of_a_file_or_all_of_it(tmp_path: Path) -> None:
    hardware = Hardware(background=0.25)
    alone, within = tmp_path / "hardware.json", tmp_path / "hardware.toml"
    alone.write_bytes(msgspec.json.encode(hardware))
    within.write_text(toml({"hardware": {"background": 0.25}}))
    assert calibrated(alone) == calibrated(within) == hardware
    within.write_text("hardware = { background = 'much' }")
    with pytest.raises(BadConfig, match=r"hardware\.toml"):
        calibrated(within)


def test_hardware_that_nobody_measured_is_said_to_be_made_up() -> None:
    assert [said.split(":")[0] for said in cautions(SCENARIO, [])] == ["The simulated hardware is made up"]
    measured = msgspec.structs.replace(SCENARIO, hardware=Hardware(background=0.25))
    assert list(cautions(measured, [])) == []
