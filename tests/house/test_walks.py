"""Each step of ARCHITECTURE.md's walks is a function that there is."""

import ast
from functools import cache

from tests.trail import ROOT, Step, astray, walks

TITLES = ["One invocation", "One deployment", "One eviction", "One simulated invocation"]


@cache
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


def test_who_leaves_the_way_is_seen() -> None:
    a, b, c = (Step("file.py", name) for name in "abc")
    assert astray([a, b, c], [a, c, a, b, c]) == []
    assert astray([a, b], [b, a]) == [b]
