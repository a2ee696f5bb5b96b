"""docs/async.md does what it says: its commands are typed one after the other, its settings are deployed."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from attacca.model.function import Settings
from tests.live.whole import Whole, running, until

pytestmark = pytest.mark.live

TEXT = (Path(__file__).parents[2] / "docs" / "async.md").read_text()
SHOWN_ID, SHOWN_URL = "124bbd9f53a679c513994487370f6258", "http://127.0.0.1:8080"
BLOCKS = [(kind, text) for kind, text in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]
HELLO = "def hello(name='world'):\n    return f'hello {name}'\n"
FAILING = "def hello(name='world'):\n    raise ValueError(name)\n"


class Reader:
    """Types what stands there, with the address and the ids that there are here."""

    def __init__(self, whole: Whole) -> None:
        self.url = f"http://127.0.0.1:{whole.port}"
        self.call = SHOWN_ID

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(line.replace(SHOWN_ID, self.call).replace(SHOWN_URL, self.url), comments=True)
        if words[0] == "attacca":
            words[:1] = [sys.executable, "-m", "attacca.cli.app"]
        env = {**os.environ, "ATTACCA_URL": self.url}
        shown = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)
        if found := re.search(r"^[0-9a-f]{32}$|(?<=/calls/)[0-9a-f]{32}", shown.stdout, re.MULTILINE):
            self.call = found[0]
        return shown


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("docs") / "state") as server:
        yield server


def lines_of(block: str) -> list[str]:
    return [line for line in block.splitlines() if line and not line.startswith("#")]


def test_calls_are_made_as_it_says(whole: Whole) -> None:
    reader = Reader(whole)
    whole.function("hello", HELLO)
    curl, verbs, _ = [text for kind, text in BLOCKS if kind == "sh"]
    shown = reader.type(lines_of(curl)[0])
    assert "202 Accepted" in shown.stdout, shown
    for line in lines_of(verbs):
        shown = reader.type(line)
        is_over = line.startswith("attacca call cancel")
        assert shown.returncode == is_over, (line, shown)
        if line.startswith("attacca call wait"):
            assert shown.stdout == "hello bob"
        if is_over:
            assert "is done already" in shown.stderr


def test_the_dead_are_shown_and_tried_anew_as_it_says(whole: Whole) -> None:
    reader = Reader(whole)
    whole.function("hello", FAILING, **{"async": {"retries": 0}})
    dead = [text for kind, text in BLOCKS if kind == "sh"][-1]
    reader.type("attacca invoke hello --async -a name=bob")
    until(lambda: whole.get("/api/async?state=dead"), "it is dead")
    whole.function("hello", HELLO)
    said = [reader.type(line) for line in lines_of(dead)]
    assert [one.returncode for one in said] == [0] * 4, said
    assert "ValueError: bob" in said[1].stdout
    assert "1 call tried anew" in said[2].stderr
    assert "hello bob" in reader.type(f"attacca call wait {reader.call}").stdout


@pytest.mark.parametrize("text", [text for kind, text in BLOCKS if kind == "toml"])
def test_its_settings_are_some(text: str) -> None:
    given = tomllib.loads(text)
    if isinstance(given.get("schedule"), str):
        given["schedule"] = [given["schedule"]]
    assert msgspec.convert({"name": "hello", **given}, Settings).name == "hello"
