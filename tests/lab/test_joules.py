"""What a run took of energy is what its machines have spent since it began, and no run has what was before."""

from attacca.lab.joules import Joules, spent
from attacca.model.energy import EnergyView, FunctionEnergy


def machine(total_j: float, run_j: float, invocations: int) -> EnergyView:
    row = FunctionEnergy(function="f", run_j=run_j, invocations=invocations)
    return EnergyView(source="powercap", total_j=total_j, functions=(row,))


def test_it_waits_for_two_looks_after_the_end() -> None:
    looks = iter([(100.0, 40.0, 4), *[(one, one - 60.0, 5) for one in (110.0, 120.0, 130.0)]])
    joules = Joules(lambda: {"w1": machine(*next(looks))})
    assert (repr(joules), joules.source) == ("<Joules of 1 machines>", "powercap")
    assert joules.totals() == {"energy_j": 30.0, "invocation_j": 30.0}


def test_without_a_meter_nothing_is_said() -> None:
    joules = Joules(dict)
    assert (joules.totals(), joules.source) == ({}, "not measured")


def test_what_was_spent_before_is_nobodys() -> None:
    before, after = {"w1": machine(100.0, 40.0, 4)}, {"w1": machine(160.0, 70.0, 9)}
    assert spent(before, after) == {"energy_j": 60.0, "invocation_j": 6.0}
    assert spent(before, before) == {"energy_j": 0.0}


def test_machines_are_added_and_who_has_begun_anew_has_all_that_it_says() -> None:
    before = {"w1": machine(100.0, 40.0, 4), "w2": machine(100.0, 40.0, 4)}
    after = {"w1": machine(30.0, 20.0, 5), "w2": machine(110.0, 44.0, 5), "w3": machine(10.0, 6.0, 4)}
    assert spent(before, after) == {"energy_j": 50.0, "invocation_j": 3.0}


def test_a_function_that_was_deployed_anew_begins_anew() -> None:
    assert spent({"w1": machine(100.0, 40.0, 9)}, {"w1": machine(160.0, 8.0, 4)}) == {
        "energy_j": 60.0,
        "invocation_j": 2.0,
    }
