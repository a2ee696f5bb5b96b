"""A pattern that ends in `$` lets a line's end through: what comes from outside is matched whole."""

import ast
from pathlib import Path

import attacca.gateway
from attacca.kernel import access

FILES = [*sorted(Path(attacca.gateway.__file__).parent.rglob("*.py")), Path(access.__file__)]
PARTLY = {"match", "search", "findall", "finditer"}


def complaints(text: str) -> list[str]:
    found: list[str] = []
    if not any(f".{word}(" in text for word in (*PARTLY, "compile")):
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            pattern = node.args[0] if node.args else None
            if node.func.attr == "compile" and isinstance(pattern, ast.Constant):
                raw = pattern.value if isinstance(pattern.value, bytes) else str(pattern.value).encode()
                if b"$" in raw.replace(b"#$", b"").replace(b"\\$", b""):
                    found.append(f"line {node.lineno}: say \\Z, or use fullmatch")
            if node.func.attr in PARTLY:
                found.append(f"line {node.lineno}: use fullmatch")
    return found


def test_every_pattern_is_matched_whole() -> None:
    assert {path.name: said for path in FILES if (said := complaints(path.read_text()))} == {}


def test_what_is_matched_in_part_is_found() -> None:
    assert complaints('import re\nA = re.compile(r"[a-z]+$")\nA.match("a")\n') == [
        "line 2: say \\Z, or use fullmatch",
        "line 3: use fullmatch",
    ]
    assert complaints('import re\nA = re.compile(rb"[!#$%]+")\nA.fullmatch(b"a")\n') == []
