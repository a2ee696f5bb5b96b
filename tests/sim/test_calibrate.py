from math import exp
from pathlib import Path
from statistics import mean

import msgspec
import pytest

from attacca.errors import BadConfig, NotFound
from attacca.load.workload.scenario import Body, Distribution, Hardware, Scenario
from attacca.sim.calibrate import calibrate, empirical, fitted, toml
from attacca.sim.platform.draws import Draws, quantile
from tests.sim.play import INSTANT, exponential, function, play, scenario


def test_a_fit_finds_the_lognormal_it_was_drawn_from() -> None:
    drawn = [quantile(fitted([exp(0.0), exp(1.0)]))(Draws(1, "x").at(number)) * 1e3 for number in range(3000)]
    again = fitted(drawn)
    assert again.mean_ms == pytest.approx(fitted([exp(0.0), exp(1.0)]).mean_ms, rel=0.05)
    assert again.sigma == pytest.approx(fitted([exp(0.0), exp(1.0)]).sigma, rel=0.05)


def test_many_values_are_kept_as_a_hundred_of_the_same_mean() -> None:
    kept = empirical([float(value) for value in range(1000)]).values_ms
    assert (kept[0], kept[50], kept[-1], len(kept)) == (4.5, 504.5, 994.5, 100)
    uneven = [*(float(value) for value in range(140)), 1e6]
    assert mean(empirical(uneven).values_ms) == pytest.approx(mean(uneven))


def test_timed_functions_become_hardware(tmp_path: Path) -> None:
    cold = {"sandbox": [5.0] * 6, "code": [1.0] * 6, "imports": [50.0] * 6}
    starts = {"cold": cold, "template": {part: [2.0] * 6 for part in cold}, "warm": {"overhead": [0.5] * 6}}
    (tmp_path / "bench.json").write_bytes(msgspec.json.encode({"functions": {"f": {"starts": starts}}}))
    found = calibrate([tmp_path / "bench.json"])
    assert found.imports.values_ms == (50.0,) * 6
    assert found.template.values_ms == (6.0,) * 6
    assert (found.wiring, found.readiness) == (msgspec.UNSET, msgspec.UNSET)
    text = 'name = "x"\n[workload]\nduration_s = 1.0\n[[functions]]\nname = "f"\n' + toml(found)
    assert msgspec.toml.decode(text.encode(), type=Scenario).hardware == found


def test_parts_that_some_starts_have_become_hardware_too(tmp_path: Path) -> None:
    names = ("sandbox", "network", "image", "code", "imports", "readiness")
    cold = {name: [float(place + 1)] * 6 for place, name in enumerate(names)}
    starts = {"cold": cold, "template": cold, "warm": {"overhead": [0.5] * 6}}
    (tmp_path / "bench.json").write_bytes(msgspec.json.encode({"functions": {"f": {"starts": starts}}}))
    found = calibrate([tmp_path / "bench.json"])
    hardware = (found.sandbox, found.wiring, found.fetch, found.code, found.imports, found.readiness)
    values = [part.values_ms[0] for part in hardware if isinstance(part, Distribution)]
    assert (values, found.template.values_ms[0]) == ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 21.0)


def test_a_recorded_run_gives_back_the_hardware_it_ran_on(tmp_path: Path) -> None:
    hardware = msgspec.structs.replace(INSTANT, imports=exponential(80.0), overhead=exponential(2.0))
    one = scenario(function(rate=1.0, duration=exponential(20.0)), length_s=1000.0, hardware=hardware, idle_s=0.5)
    one = msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, invocations=True))
    play(one, out=tmp_path / "run", checks="off")
    found = calibrate([tmp_path / "run"])
    for measured, was in ((found.imports, 80.0), (found.overhead, 2.0)):
        assert mean(measured.values_ms) == pytest.approx(was, rel=0.15)
    assert found.cpu == "none"


def test_what_contention_costs_is_not_taken_for_what_the_machine_costs(tmp_path: Path) -> None:
    """Half of the time one core is taken, and often both: what is measured is what an idle machine takes."""
    hardware = msgspec.structs.replace(
        INSTANT,
        cpu="contended",
        template=Distribution(mean_ms=5.0),
        overhead=Distribution(mean_ms=1.0),
        first=Distribution(mean_ms=3.0),
        wakeup=exponential(2.0),
    )
    functions = [
        function(f"f{place}", rate=2.0, duration=exponential(100.0), body=Body(busy=0.5)) for place in range(10)
    ]
    one = scenario(*functions, length_s=200.0, hardware=hardware, idle_s=0.3, cores=2, templates=True)
    one = msgspec.structs.replace(one, record=msgspec.structs.replace(one.record, invocations=True))
    play(one, out=tmp_path / "run", checks="off")
    found = calibrate([tmp_path / "run"])
    for measured, was in ((found.template, 5.0), (found.overhead, 1.0), (found.first, 3.0)):
        assert mean(measured.values_ms) == pytest.approx(was, rel=0.05)
    assert mean(found.wakeup.values_ms) == pytest.approx(2.0, rel=0.15)
    assert found.cpu == "contended"


def test_the_first_source_that_tells_counts(tmp_path: Path) -> None:
    warm = {"warm": {"overhead": [0.5] * 6}}
    cold = {"cold": {"sandbox": [5.0] * 6, "code": [1.0] * 6, "imports": [50.0] * 6}, "warm": {"overhead": [9.0] * 6}}
    for name, starts in (("warm", warm), ("cold", cold)):
        (tmp_path / name).write_bytes(msgspec.json.encode({"functions": {"f": {"starts": starts}}}))
    found = calibrate([tmp_path / "warm", tmp_path / "cold"])
    assert found.overhead.values_ms == (0.5,) * 6
    assert found.imports.values_ms == (50.0,) * 6


def test_too_little_is_said_to_be_too_little(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text("{}")
    with pytest.raises(BadConfig, match="fewer than"):
        calibrate([tmp_path / "bench.json"])
    with pytest.raises(NotFound):
        calibrate([tmp_path / "nowhere"])
    assert toml(Hardware()) == "[hardware]\n"


def test_where_somebody_was_in_everybodys_way_more_invocations_are_not_asked_for(tmp_path: Path) -> None:
    """One core, and always somebody at it; then nobody, and too few invocations."""
    hardware = msgspec.structs.replace(INSTANT, cpu="contended")
    busy = scenario(function(rate=20.0, duration=exponential(300.0)), length_s=30.0, hardware=hardware)
    system = msgspec.structs.replace(busy.system, cores=1, memory_mb=100_000)
    kept = msgspec.structs.replace(busy.record, invocations=True)
    play(msgspec.structs.replace(busy, system=system, record=kept), out=tmp_path / "busy", checks="off")
    few = scenario(function(rate=0.02, duration=exponential(3.0)), length_s=100.0, hardware=hardware)
    play(msgspec.structs.replace(few, record=kept), out=tmp_path / "few", checks="off")
    with pytest.raises(BadConfig, match="found a core free all the time: the 1 cores were taken") as refused:
        calibrate([tmp_path / "busy"])
    assert "lower rate" in refused.value.hint
    with pytest.raises(BadConfig, match="fewer than 5 of anything") as refused:
        calibrate([tmp_path / "few"])
    assert "more invocations" in refused.value.hint
