"""House rules that no linter has: small files, small functions, one docstring per module."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "attacca").rglob("*.py"))
AROUND = sorted(path for folder in ("tests", "examples", "bench", "scripts") for path in (ROOT / folder).rglob("*.py"))
MAX_FILE, MAX_FUNCTION = 400, 60
BANNED = {"FIX" + "ME": "finish it", "util" + "s.py": "name it after what it holds"}
VAGUE = {"util", "utils", "helper", "helpers", "manager", "base", "impl"}
LONGER_FOR_NOW: set[str] = set()  # may only shrink


@pytest.mark.parametrize("path", PACKAGE + AROUND, ids=lambda path: str(path.relative_to(ROOT)))
def test_tidy(path: Path) -> None:
    text = path.read_text()
    tree = ast.parse(text)
    name = str(path.relative_to(ROOT))
    if path in PACKAGE:
        assert ast.get_docstring(tree), "say in one sentence what this module is for"
    assert path.stem not in VAGUE, "name it after what it holds"
    assert text.count("\n") <= MAX_FILE or name in LONGER_FOR_NOW
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or 0) - node.lineno + 1
            assert lines <= MAX_FUNCTION, f"{node.name} is {lines} lines long"
    for word, instead in BANNED.items():
        assert word not in text, f"{word}: {instead}"


def test_what_is_longer_for_now_still_exists() -> None:
    assert [name for name in sorted(LONGER_FOR_NOW) if not (ROOT / name).exists()] == []
