import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.cli.screen import (
    PARTS,
    PARTS_AND_REST,
    STARTS,
    bar,
    counted,
    megabytes,
    milliseconds,
    paint,
    seconds,
    show_error,
    split,
)
from attacca.errors import NotFound

TIMINGS = st.dictionaries(st.sampled_from(sorted(PARTS)), st.floats(0, 40), max_size=6)


@given(TIMINGS, st.integers(6, 40))
def test_a_bar_is_as_wide_as_asked_and_shows_every_part_that_took_time(timing: dict[str, float], width: int) -> None:
    cells = bar(split(timing), width)
    spent = [part for part in PARTS if timing.get(part, 0) > 0]
    assert [colour for colour, _ in cells] == [PARTS[part] for part in spent]
    assert sum(count for _, count in cells) == (width if spent else 0)
    assert all(count >= 1 for _, count in cells)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "·"), (-1, "·"), (0.041, "0.04"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")]
)
def test_milliseconds(value: float, text: str) -> None:
    assert milliseconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1, "0.0s"),
        (0.42, "0.4s"),
        (12.3, "12s"),
        (90, "90s"),
        (3600, "60m"),
        (8000, "2h"),
        (47 * 3600, "47h"),
        (49 * 3600, "2d"),
    ],
)
def test_seconds(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(("size", "text"), [(10, "10 B"), (2048, "2.0 kB"), (3 << 20, "3.0 MB")])
def test_megabytes(size: int, text: str) -> None:
    assert megabytes(size) == text


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert paint("x", "red", io.StringIO()) == "\x1b[31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "red", io.StringIO()) == "x"
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert paint("x", "red", io.StringIO()) == "x"


def test_every_colour_that_has_a_name_can_be_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    for colour in (*PARTS_AND_REST.values(), *STARTS.values()):
        assert paint("x", colour, io.StringIO()).startswith("\x1b[")


def test_one_is_not_many() -> None:
    assert [counted(1, "sandbox"), counted(2, "sandbox")] == ["1 sandbox", "2 sandboxes"]
    assert [counted(1, "invocation"), counted(0, "invocation")] == ["1 invocation", "0 invocations"]


def test_an_error_says_what_happened_where_and_what_to_try(capsys: pytest.CaptureFixture[str]) -> None:
    error = NotFound("no function is called 'helo'", "attacca list")
    error.add_note("at POST http://x/function/helo")
    show_error(error)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == ("Error: no function is called 'helo'\n  at POST http://x/function/helo\n  Try: attacca list\n")


def test_an_error_for_programs_is_json_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    show_error(NotFound("no", "yes"), as_json=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert json.loads(shown.err) == {"error": {"code": "not_found", "message": "no", "try": "yes"}}
