"""ARCHITECTURE.md's walks go where it says: those that need no socket."""

import ast

import msgspec

from attacca.load.workload.scenario import Scenario
from attacca.sim.run import Options, run
from tests.trail import ROOT, Step, astray, trail, walks
from tests.written import as_written

TITLES = ["One invocation", "One deployment", "One eviction", "One simulated invocation"]


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
        "workload": {"duration_s": 20},
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


def defined(file: str) -> set[str]:
    """The qualified names of a file's functions."""

    def names(body: list[ast.stmt], before: str) -> set[str]:
        found = set()
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(before + node.name)
            elif isinstance(node, ast.ClassDef):
                found |= names(node.body, f"{before}{node.name}.")
        return found

    return names(ast.parse((ROOT / "attacca" / file).read_text()).body, "")


def test_every_step_is_a_function_that_there_is() -> None:
    assert list(walks()) == TITLES
    steps = [step for walk in walks().values() for step in walk]
    assert [step for step in steps if step.function not in defined(step.file)] == []


@as_written
def test_a_simulated_invocation_walks_as_it_is_written() -> None:
    assert astray(walks()["One simulated invocation"], entered_by(crowded(1, 1024))) == []


@as_written
def test_an_eviction_walks_as_it_is_written() -> None:
    assert astray(walks()["One eviction"], entered_by(crowded(3, 600))) == []
    assert astray(walks()["One eviction"], entered_by(crowded(3, 4096))) != [], "where there is room nobody has to go"


def test_who_leaves_the_way_is_seen() -> None:
    a, b, c = (Step("file.py", name) for name in "abc")
    assert astray([a, b, c], [a, c, a, b, c]) == []
    assert astray([a, b], [b, a]) == [b]
