"""Accelerators of simulated workers: whose data is where, and scenarios that tell policies apart."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from attacca.load.workload.scenario import Accelerated, Accelerators, Choice, Distribution, FunctionPlan, Shape
from attacca.sim.platform.devices import DeviceMemory, OnDevices, device_of
from attacca.sim.record.totals import Totals
from tests.cases import each
from tests.sim.play import play, scenario
from tests.worker.stage import revision

TWO_GB = Accelerators(memory_mb=2000, transfer_mb_s=1000.0)


def test_what_was_used_longest_ago_makes_place_and_what_is_used_now_stays() -> None:
    memory = DeviceMemory(TWO_GB)
    assert [memory.bring(0.0, name, "0", 1000.0, ()) for name in "ab"] == [1.0, 1.0]
    assert memory.bring(0.5, "a", "0", 1000.0, ()) == 0.5, "it is on its way"
    assert memory.bring(5.0, "a", "0", 1000.0, ()) == 0.0
    assert memory.bring(5.0, "c", "0", 1000.0, ()) == 1.0
    assert not memory.is_there("b", "0")
    assert memory.bring(6.0, "d", "0", 500.0, ("a",)) == 0.5
    assert memory.is_there("a", "0")
    assert memory.bring(6.0, "b", "1", 1000.0, ()) == 1.0, "another device has its own"
    memory.forget(("a",))
    assert not memory.is_there("d", "0")
    assert repr(memory) == "<DeviceMemory 1 sandboxes, 5 moves, 4500 MB moved>"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=20))
def test_no_more_is_held_than_there_is_unless_all_of_it_is_in_use(steps: list[tuple[str, bool]]) -> None:
    memory, busy, most = DeviceMemory(TWO_GB), dict[str, None](), 2
    for now, (name, stays) in enumerate(steps):
        assert memory.bring(float(now), name, "0", 800.0, busy) <= 0.8
        if stays:
            busy[name] = None
        else:
            busy.pop(name, None)
        held = [one for one in "abcd" if memory.is_there(one, "0")]
        most = max(most, len(busy) + 1)
        assert len(held) <= most
        assert all(one in held for one in busy)


def test_draws_are_by_function_and_number() -> None:
    drawn = Distribution(kind="exponential", mean_ms=10.0)
    plans = {name: Accelerated(duration=drawn, start=drawn, data_mb=7.0) for name in "ab"}
    one, other = OnDevices(1, plans), OnDevices(1, plans)
    other.start_s("b")
    assert one.run_s("a", 3) == other.run_s("a", 3) != one.run_s("b", 3)
    assert [one.start_s("a") for _ in range(2)] == [other.start_s("a") for _ in range(2)]
    assert one.data_mb("a") == 7.0
    assert repr(other) == "<OnDevices 2 functions, 3 starts>"


def test_a_sandbox_is_on_the_device_that_it_was_told_of() -> None:
    env = {"CUDA_VISIBLE_DEVICES": "1"}
    assert device_of(revision("f", gpu=1, env=env)) == "1"
    assert device_of(revision("f", env=env)) == ""


def played(dispatch: str, *, either: bool = True, queueing: str = "mqfq", **gpu: Any) -> Totals:
    told = {"share": 0.25, "duration": Distribution(mean_ms=20.0), "data_mb": 100.0, **gpu}
    plan = FunctionPlan(
        name="f",
        duration=Distribution(mean_ms=100.0),
        shape=Shape(kind="constant", rate=5.0),
        gpu=Accelerated(either=either, **told),
    )
    there: Any = {"accelerators": Accelerators(memory_mb=1000), "dispatch": Choice(policy=dispatch), "cores": 2}
    queued = Choice(policy=queueing)
    return play(scenario(plan, length_s=4.0, device_queueing=queued, **there)).totals


@each(
    "dispatch, least_ms, most_ms",
    [("always", 20, 22), ("all", 20, 30), ("estimate", 20, 40), ("landlord", 20, 40), ("random", 40, 80)],
)
def test_a_device_that_is_five_times_as_fast_is_used(dispatch: str, least_ms: float, most_ms: float) -> None:
    totals = played(dispatch)
    assert totals.ok == 20
    assert least_ms <= totals.mean_ms <= most_ms


def test_what_cannot_do_without_never_does() -> None:
    assert 20 <= played("random", either=False).mean_ms < 22


def test_what_a_start_takes_besides_and_what_does_not_fit_are_felt() -> None:
    assert played("always", start=Distribution(mean_ms=50.0)).max_ms >= 70
    large = played("always", data_mb=900.0, queueing="fcfs")
    assert large.mean_ms < 25, "it stays where it is"
