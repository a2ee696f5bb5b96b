"""House rules that no linter has: small files, small functions, one docstring per module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "attacca").rglob("*.py"))
AROUND = sorted(path for folder in ("examples", "bench", "scripts") for path in (ROOT / folder).rglob("*.py"))
ALL = [*PACKAGE, *AROUND, *sorted((ROOT / "tests").rglob("*.py"))]
MAX_FILE, MAX_FUNCTION = 400, 60
BANNED = {"FIX" + "ME": "finish it", "util" + "s.py": "name it after what it holds"}
VAGUE = {"util", "utils", "helper", "helpers", "manager", "base", "impl"}
LONGER_FOR_NOW: set[str] = set()  # may only shrink


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", PACKAGE + AROUND, ids=name_of)
def test_tidy(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    assert ast.get_docstring(tree) or path in AROUND, "say in one sentence what this module is for"
    assert text.count("\n") <= MAX_FILE or name_of(path) in LONGER_FOR_NOW
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION, f"{node.name} is {lines} lines long"


def test_words() -> None:
    complaints = [f"{name_of(path)}: name it after what it holds" for path in ALL if path.stem in VAGUE]
    for path in ALL:
        text = path.read_text()
        complaints += [f"{name_of(path)}: {word}: {instead}" for word, instead in BANNED.items() if word in text]
    assert complaints == []


def test_what_is_longer_for_now_still_exists() -> None:
    assert [name for name in sorted(LONGER_FOR_NOW) if not (ROOT / name).exists()] == []
