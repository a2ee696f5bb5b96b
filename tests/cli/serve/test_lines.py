"""What a plane logs: one line each, with who says it and the ids that it is about."""

import io
import json
import logging
from collections.abc import Callable

from attacca.cli.serve.lines import STORY, Lines, tell, teller, watch, watcher
from attacca.model.endpoints import StopSandbox
from attacca.model.invocation import Call, Start, Timing
from tests.logged import Logged

CALL = Call(
    id="g-1", function="hello", revision=1, at=1.0, status=200, outcome="ok", start=Start.WARM, why="", sandbox="s1",
    timing=Timing(), total_ms=1.25,
)  # fmt: skip


def said(speak: Callable[[], None], *, is_json: bool) -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Lines(lambda: "gateway-1", is_json=is_json))
    root, level = logging.getLogger("attacca"), logging.getLogger("attacca").level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        speak()
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    return stream.getvalue()


def test_a_line_for_people() -> None:
    line = said(lambda: tell(("Sent", "g-1", "", "worker-2")), is_json=False)
    assert line.endswith(" INFO gateway-1 attacca.story: g-1: sent to a worker (worker-2)\n")
    assert line[10] == "T"
    assert "\x1b" not in said(lambda: STORY.warning("%s", "\x1b[2J"), is_json=False)


def test_a_line_for_programs() -> None:
    line = json.loads(said(lambda: tell(StopSandbox("c1-1", "why\nnot")), is_json=True))
    assert line.pop("at")
    assert line == {
        "level": "info", "plane": "gateway-1", "logger": "attacca.story", "ids": ["c1-1"],
        "message": "c1-1: sandbox stopped by control", "about": "id c1-1, why why\nnot",
    }  # fmt: skip
    assert said(lambda: tell(StopSandbox("c1-1", "why\nnot")), is_json=True).count("\n") == 1


def test_an_invocation_that_has_ended() -> None:
    line = json.loads(said(lambda: watch(CALL), is_json=True))
    assert (line["ids"], line["status"], line["start"], line["total_ms"]) == (["g-1", "s1"], 200, "warm", 1.25)
    assert said(lambda: watch("something else"), is_json=True) == ""
    assert said(lambda: tell(("Catalogue", "", "", 7)), is_json=True) == "", "it is of nobody"


def test_a_traceback_is_in_its_line() -> None:
    def fail() -> None:
        try:
            raise ValueError("no")
        except ValueError:
            logging.getLogger("attacca.control").exception("bug")

    line = json.loads(said(fail, is_json=True))
    assert (line["message"], line["level"]) == ("bug", "error")
    assert line["traceback"].endswith("ValueError: no")
    assert "ValueError: no" in said(fail, is_json=False)


def test_nothing_is_told_where_nobody_reads(logged: Logged) -> None:
    with logged.at_level(logging.WARNING, "attacca.story"):
        assert (teller(), watcher()) == (None, None)
    with logged.at_level(logging.INFO, "attacca.story"):
        assert (teller(), watcher()) == (tell, watch)
    assert repr(Lines(str, is_json=True)) == "<Lines JSON>"
    assert repr(Lines(str, is_json=False)) == "<Lines text>"
