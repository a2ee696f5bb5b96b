import io
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from attacca.cli.screens.terminal import (
    PARTS,
    PARTS_AND_REST,
    STARTS,
    bar,
    console,
    counted,
    joined,
    json_text,
    marked,
    megabytes,
    milliseconds,
    paint,
    seconds,
    show_error,
    split,
    visible,
)
from attacca.errors import NotFound
from tests.cases import each

TIMINGS = st.dictionaries(st.sampled_from(sorted(PARTS)), st.floats(0, 40), max_size=6)


@given(TIMINGS, st.integers(6, 40))
def test_a_bar_is_as_wide_as_asked_and_shows_every_part_that_took_time(timing: dict[str, float], width: int) -> None:
    cells = bar(split(timing), width)
    spent = [part for part in PARTS if timing.get(part, 0) > 0]
    assert [colour for colour, _ in cells] == [PARTS[part] for part in spent]
    assert sum(count for _, count in cells) == (width if spent else 0)
    assert all(count >= 1 for _, count in cells)


@each("value, text", [(0, "·"), (-1, "·"), (0.041, "0.04"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")])
def test_milliseconds(value: float, text: str) -> None:
    assert milliseconds(value) == text


@each(
    "value, text",
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


@given(st.text())
def test_what_is_visible_commands_no_terminal_and_hides_nothing(text: str) -> None:
    shown = visible(text)
    assert {unicodedata.category(sign) for sign in shown if sign not in "\n\t"} & {
        "Cc",
        "Cf",
        "Cs",
        "Zl",
        "Zp",
    } == set()
    assert visible(shown) == shown
    assert shown == text or not text.isprintable()


def test_how_the_invisible_is_spelt() -> None:
    text = "a\tb\r\nc\rd\x1b]0;x\x07\x9b\x7f\u202e\u2066\u200b\u2028\ud800\U000e0001\xadé日\u3000\xa0"
    assert visible(text) == (
        r"a" "\tb\n" r"c\rd\x1b]0;x\x07\x9b\x7f\u202e\u2066\u200b\u2028\ud800\U000e0001\xad" "é日\u3000\xa0"
    )


def test_painted_text_keeps_our_colours_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    painted = joined(paint("\x1b[8mx", "red", io.StringIO()), "\x1b[31m")
    assert painted == "\x1b[31m\\x1b[8mx\x1b[0m\\x1b[31m"
    assert paint(painted, "dim", io.StringIO()) == f"\x1b[2m{painted}\x1b[0m"


@given(st.text())
def test_a_value_in_a_template_is_never_markup(value: str) -> None:
    text = marked("[bold]{}[/] and {}", value, value)
    assert text.plain == f"{visible(value)} and {visible(value)}"
    assert [(one.start, one.end, one.style) for one in text.spans] == [(0, len(visible(value)), "bold")]


@pytest.mark.parametrize("value", ["[/]", "[link=http://x]y[/link]", "[bold]", "\\[red]", "\x1b[2J", "{}", "\0"])
def test_a_table_shows_brackets_to_the_letter(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    console(width=200).print(value, Text(value), marked("[red]{}[/]", value))
    assert capsys.readouterr().out == f"{visible(value)} {visible(value)} {visible(value)}\n"


@given(st.recursive(st.text() | st.integers() | st.none(), lambda inner: st.dictionaries(st.text(), inner, max_size=3)))
def test_json_is_the_same_and_all_visible(value: object) -> None:
    assert json.loads(json_text(value)) == value
    assert visible(json_text(value, 2)) == json_text(value, 2)
