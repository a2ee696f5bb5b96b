"""House rules that no linter has: small files, small functions, one docstring per module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.trees import PACKAGE, ROOT, statements

AROUND = sorted(path for folder in ("examples", "bench", "scripts") for path in (ROOT / folder).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ALL = [*PACKAGE, *AROUND, *TESTS]
MAX_FILE, MAX_FUNCTION = 400, 60
BANNED = {"FIX" + "ME": "finish it", "util" + "s.py": "name it after what it holds"}
VAGUE = {"util", "utils", "helper", "helpers", "manager", "base", "impl"}
LONGER_FOR_NOW: set[str] = set()  # may only shrink
DOLLAR = re.compile(r"(?<!\\)(?<!\(\?!\\n\))(?:\\\\)*\$(?:\Z|[)|])")  # not where it says that no line feed may follow
SUSPECT = re.compile(r"""\$["')|]""")  # a module without has no such pattern
FUNCTION = re.compile(r"^( *)(?:async )?def ", re.MULTILINE)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def untidy(text: str, *, is_package: bool, may_be_long: bool = False) -> Iterator[str]:
    """What is against the rules in a module."""
    if is_package and not text.startswith('"""'):
        yield "say in one sentence what this module is for"
    if text.count("\n") > MAX_FILE and not may_be_long:
        yield f"has more than {MAX_FILE} lines"
    if has_room_for_a_long_function(text):
        for node in statements(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MAX_FUNCTION:
                    yield f"{node.name} is {lines} lines long"


def has_room_for_a_long_function(text: str) -> bool:
    """Parsing is slow: the distance to the next function on the same level, or further out, is looked at first."""
    open_: list[tuple[int, int]] = []  # how far in, and from which line
    number = seen = 0
    for found in FUNCTION.finditer(f"{text}\ndef the_end() -> None: ..."):
        number, seen = number + text.count("\n", seen, found.start()), found.start()
        depth = len(found[1])
        while open_ and open_[-1][0] >= depth:
            if number - open_.pop()[1] > MAX_FUNCTION:
                return True
        open_.append((depth, number))
    return False


def test_every_module_is_tidy() -> None:
    complaints = {
        name_of(path): found
        for path in PACKAGE + AROUND
        if (
            found := list(
                untidy(
                    path.read_text(),
                    is_package=path not in AROUND,
                    may_be_long=name_of(path) in LONGER_FOR_NOW,
                )
            )
        )
    }
    assert complaints == {}


def test_no_module_of_tests_is_too_long() -> None:
    lines = {name_of(path): path.read_bytes().count(b"\n") for path in TESTS}
    assert {name: count for name, count in lines.items() if count > MAX_FILE} == {}


def test_what_is_untidy_is_found() -> None:
    long = (
        "class Thing:\n    async def run(self) -> None:\n" + 60 * "        pass\n" + "    def stop(self) -> None: ...\n"
    )
    assert list(untidy(long, is_package=False)) == ["run is 61 lines long"]
    assert list(untidy(long.replace("pass\n", "", 1), is_package=False)) == []
    nested = "def outer() -> None:\n" + 30 * "    def inner() -> None:\n        pass\n"
    assert list(untidy(nested, is_package=False)) == ["outer is 61 lines long"]
    assert list(untidy("x = 1\n" * 401, is_package=True)) == [
        "say in one sentence what this module is for",
        "has more than 400 lines",
    ]


def test_words() -> None:
    complaints = [f"{name_of(path)}: name it after what it holds" for path in ALL if path.stem in VAGUE]
    for path in ALL:
        text = path.read_text()
        complaints += [f"{name_of(path)}: {word}: {instead}" for word, instead in BANNED.items() if word in text]
    assert complaints == []


def test_what_is_longer_for_now_still_exists() -> None:
    assert [name for name in sorted(LONGER_FOR_NOW) if not (ROOT / name).exists()] == []


def ends(text: str) -> Iterator[str]:
    """Patterns for Python's `re` in which a dollar sign is an end: it also matches before a last line feed."""
    if not SUSPECT.search(text):
        return
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        asked = [one.value for one in node.keywords if one.arg == "pattern"]
        if ast.unparse(node.func).startswith("re."):
            asked += node.args[:1]
        for constant in (one for each in asked for one in ast.walk(each) if isinstance(one, ast.Constant)):
            pattern = constant.value.decode("latin-1") if isinstance(constant.value, bytes) else constant.value
            if isinstance(pattern, str) and DOLLAR.search(pattern):
                yield pattern


def test_no_pattern_lets_a_last_line_feed_through() -> None:
    assert {name_of(path): found for path in PACKAGE if (found := list(ends(path.read_text())))} == {}


def test_a_pattern_that_does_is_found() -> None:
    text = r"""re.compile(rb"a$"), Meta(pattern="^b|c$"), re.match(f"{x}(y$)"), re.compile(r"\$"), re.sub(r"(?!\n)$")"""
    assert list(ends(text)) == ["a$", "^b|c$", "(y$)"]
