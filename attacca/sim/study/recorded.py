"""One cell of a study: a simulated run whose records lie in a directory."""

from pathlib import Path

from attacca.kernel.clock import SystemClock
from attacca.load.workload.scenario import Scenario
from attacca.sim.run import Options, run


def simulate(scenario: Scenario, directory: Path) -> None:
    """Invariants are not looked at after each event: a study asks how well, `attacca sim run` whether it is right."""
    run(scenario, SystemClock(), Options(checks="off", out=directory, replace=True))


def simulate_checked(scenario: Scenario, directory: Path) -> None:
    """A run in which something does not hold fails."""
    run(scenario, SystemClock(), Options(checks="touched", out=directory, replace=True))
