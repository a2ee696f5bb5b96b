"""House rule: whatever changes says its state, as a line of numbers that a test has."""

import re
from collections.abc import Iterator, Mapping

from tests.trees import ROOT, modules

CLASS = re.compile(r"^class (\w+)(?:\(([^)]*)\))?:.*\n((?:(?:[ \t].*|#.*)?\n|\).*\n)*)", re.MULTILINE)
METHOD = re.compile(r"^    (?:async )?def (\w+)\(", re.MULTILINE)
SET = re.compile(r"\bself\.\w+(?:, self\.\w+)*(?:: [^=\n]+)? (?:[-+*/|&^]|//)?= ")
HELD = re.compile(
    r"\bself\.\w+(?:: [^=\n]+)? = (?:[\[{](?!.* for )|(?:deque|dict|set|list|Counter|defaultdict|bytearray|array)\b)"
)
DATA = re.compile(r"\b(?:\w*Struct|NamedTuple|Protocol|\w*Enum|\w*Exception|\w*Error|TypedDict)\b")
EXCEPT = {  # which say nothing, and why
    "attacca.control.http.document.DeployOperation": "a data class of Litestar's, which says its fields",
    "attacca.control.http.document.SecretOperation": "a data class of Litestar's, which says its fields",
    "attacca.control.http.document.UploadOperation": "a data class of Litestar's, which says its fields",
    "attacca.lab.workflows.functions.relay.Relay": "an event function: it is what a user would write",
    "attacca.lab.workflows.functions.sink.Sink": "an event function: it is what a user would write",
    "attacca.lab.workflows.functions.source.Source": "an event function: it is what a user would write",
}


def changing(text: str) -> Iterator[tuple[str, str, bool]]:
    """Of each class that is no data, and not its module's own affair: its name, its bases, and whether it says
    itself; where it sets an attribute after it was made, or has made itself something to fill."""
    for name, of, body in CLASS.findall(text):
        if name[0] == "_" or DATA.search(of):
            continue
        methods = METHOD.split(body)
        parts = dict(zip(methods[1::2], methods[2::2], strict=True))
        begins = parts.pop("__init__", "")
        if "__repr__" in parts or HELD.search(begins) or any(SET.search(part) for part in parts.values()):
            yield name, of, "__repr__" in parts


def silent(texts: Mapping[str, str]) -> list[str]:
    """Those that do not say their state, nor inherit from one that does."""
    found = {(module, name): (of, says) for module, text in texts.items() for name, of, says in changing(text)}
    saying = {name for (_, name), (_, says) in found.items() if says}
    return [
        f"{module}.{name}"
        for (module, name), (of, says) in found.items()
        if not says and not saying & set(re.findall(r"\w+", of))
    ]


def test_whatever_changes_says_its_state() -> None:
    assert sorted(silent(modules())) == sorted(EXCEPT)


def test_what_they_say_is_in_a_test() -> None:
    said = set[str]()
    for path in (ROOT / "tests").rglob("*.py"):
        said.update(re.findall(r"<(\w+)\b", path.read_text()))
    names = {name for text in modules().values() for name, _, says in changing(text) if says}
    assert sorted(names - said) == []


def test_what_says_nothing_is_found() -> None:
    lines = (
        "class Sum:\n    def __init__(self) -> None:\n        self.sum = 0\n\n    def add(self, more: int) -> None:\n"
    )
    assert silent({"a": lines + "        self.sum += more\n"}) == ["a.Sum"]
    assert silent({"a": lines + "        return self.sum\n"}) == []
    assert silent({"a": lines.replace("self.sum = 0", "self.all: list[int] = []")}) == ["a.Sum"]
    assert silent({"a": lines.replace("Sum", "Sum(\n    Struct,\n)")}) == []
    spoken = f"{lines}        self.sum += more\n\n    def __repr__(self) -> str:\n        return '<Sum>'\n"
    assert silent({"a": spoken, "b": f"{lines}        self.sum += more\n".replace("Sum", "Other(Sum)")}) == []
