"""What people see: colours, numbers, errors. rich is imported only when something is laid out with it."""

import csv
import functools
import json
import os
import re
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, Literal

from attacca.errors import AttaccaError, envelope

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

UNUSUAL = re.compile(r"[^\n\t -~]+")
INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # of Unicode's categories: controls, formats, halves of signs, line ends
CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
    "bright_black": "90", "bright_red": "91", "bright_blue": "94", "bright_magenta": "95",
    "bold red": "1;31", "bold green": "1;32", "bold cyan": "1;36",
}  # fmt: skip
PARTS = {  # of an invocation's timing, in the order in which they pass; the colour of each
    "queued": "yellow", "placed": "magenta", "sandbox": "blue", "network": "bright_blue", "image": "bright_magenta",
    "code": "cyan", "imports": "red", "readiness": "bright_red", "run": "green",
}  # fmt: skip
SELDOM = ("network", "image", "readiness")  # parts of some starts only: shown where one has them
REST = "rest"  # what passed between the parts
PARTS_AND_REST = {**PARTS, REST: "bright_black"}
STARTS = {"cold": "red", "template": "yellow", "prewarmed": "cyan", "warm": "green"}
PIPED = 200  # columns
HOLE = "\0"  # where a value goes: no value has it, once it is visible


def is_coloured(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def speaks_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").startswith("utf")


class Painted(str):
    """Text whose control sequences are our own: what came from outside has been made visible in it."""

    __slots__ = ()


def visible(text: str) -> str:
    """Nothing in it commands a terminal, or hides: `\\x1b` for an escape, `\\u202e` for a change of direction.

    Line feeds and tabs stay. What others wrote is shown through this, and through nothing else.
    """
    return _without_invisible(text.replace("\r\n", "\n"), _spelt)


def _without_invisible(text: str, spell: Callable[[str], str]) -> str:
    return UNUSUAL.sub(lambda found: _each(found[0], spell), text)


def _each(run: str, spell: Callable[[str], str]) -> str:
    if run.isprintable():
        return run
    import unicodedata

    return "".join(spell(sign) if unicodedata.category(sign) in INVISIBLE else sign for sign in run)


def _spelt(sign: str) -> str:
    code = ord(sign)
    if sign == "\r":
        return "\\r"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown(text: str) -> Painted:
    return text if isinstance(text, Painted) else Painted(visible(text))


def joined(*parts: str) -> Painted:
    """Painted text and what others wrote, one after the other."""
    return Painted("".join(shown(part) for part in parts))


def paint(text: str, style: str, stream: IO[str]) -> Painted:
    text = shown(text)
    return Painted(f"\x1b[{CODES[style]}m{text}\x1b[0m") if text and is_coloured(stream) else text


def say(text: str, style: str = "") -> None:
    """A line for people; never on stdout, which belongs to results."""
    sys.stderr.write(shown(paint(text, style, sys.stderr) if style else text) + "\n")
    sys.stderr.flush()


def put(text: str) -> None:
    """A line of the result, on stdout: made visible on a terminal, and as it is for a program."""
    sys.stdout.write((shown(text) if sys.stdout.isatty() else text) + "\n")
    sys.stdout.flush()


def console(*, stderr: bool = False, width: int | None = None) -> "Console":
    """For tables and the like. What goes into a pipe or a file has room enough: nothing is folded or left out there.

    Its texts are shown to the letter: brackets are no markup, for which there is `marked`.
    """
    stream = sys.stderr if stderr else sys.stdout
    colours: Literal["auto"] | None = "auto" if is_coloured(stream) else None  # without: nothing bold either
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = PIPED
    return _door()(
        stderr=stderr, width=width, color_system=colours, highlight=False, emoji=False, soft_wrap=False, markup=False
    )


@functools.cache
def _door() -> "type[Console]":
    from rich.console import Console
    from rich.segment import Segment

    class Door(Console):
        """Whatever is laid out, its text passes here: no control character in it reaches the terminal."""

        def render_str(self, text: str, **more: Any) -> Any:
            return super().render_str(visible(text), **more)

        def render(self, renderable: Any, options: Any = None) -> Any:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment(visible(segment.text), segment.style)

    return Door


def marked(template: str, *values: object) -> "Text":
    """`[bold]{}[/] revision {}`: the template's own markup, and values that stay what they are."""
    from rich.text import Span, Text

    text = Text.from_markup(template.replace("{}", HOLE), emoji=False)
    assert text.plain.count(HOLE) == len(values), template
    for value in values:
        filling, at = visible(str(value)), text.plain.index(HOLE)
        more = len(filling) - 1
        spans = [
            Span(span.start + more * (span.start > at), span.end + more * (span.end > at), span.style)
            for span in text.spans
        ]
        text = Text(text.plain.replace(HOLE, filling, 1), spans=spans)
    return text


def json_text(value: object, indent: int | None = None) -> str:
    """JSON in which nothing is invisible, wherever it is shown; for a program it is the same."""
    is_ascii = not speaks_unicode(sys.stdout.encoding or "utf-8")  # a question mark would be another value
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    return _without_invisible(text, lambda sign: json.dumps(sign)[1:-1].replace("\x7f", "\\u007f"))


def show_json(value: object) -> None:
    """One JSON document on stdout: indented on a terminal, one line for programs."""
    sys.stdout.write(json_text(value, 2 if sys.stdout.isatty() else None) + "\n")
    sys.stdout.flush()


def show_error(error: AttaccaError, *, as_json: bool = False) -> None:
    """What happened, where, and what to try; on stderr."""
    notes = getattr(error, "__notes__", [])
    if as_json:
        body = envelope(error, **({"detail": "\n".join(notes)} if notes else {}))
        sys.stderr.write(json_text(body) + "\n")
        return
    say(joined(paint("Error:", "bold red", sys.stderr), " ", error.message))
    for note in notes:
        for line in visible(note).rstrip().splitlines():
            say(f"  {line}", "dim")
    if error.hint:
        say(joined("  ", paint("Try:", "bold green", sys.stderr), " ", error.hint))


def milliseconds(value: float) -> str:
    """Three figures at most; nothing at all for nothing, so that the eye finds what cost time."""
    if value <= 0:
        return "·"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def seconds(value: float) -> str:
    """A span for people: 0.4s, 12s, 5m, 3h, 2d."""
    if value < 1:
        return f"{max(value, 0):.1f}s"
    for most, size, unit in ((120, 1, "s"), (120 * 60, 60, "m"), (48 * 3600, 3600, "h")):
        if value < most:
            return f"{value / size:.0f}{unit}"
    return f"{value / 86_400:.0f}d"


def counted(number: int, what: str) -> str:
    """1 sandbox, 2 sandboxes."""
    return f"{number} {what}" + ("" if number == 1 else "es" if what.endswith("x") else "s")


def megabytes(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    if size < 1024 * 1024:
        return f"{size / 1024:.1f} kB"
    return f"{size / 1024 / 1024:.1f} MB"


def show_csv(rows: list[dict[str, Any]]) -> None:
    """A line of names, and one for each row; what is inside a field of a row has the field's name before its own."""
    writer = None
    for row in map(_flat, rows):
        if writer is None:
            writer = csv.DictWriter(sys.stdout, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_{key}": part for key, part in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def split(timing: dict[str, Any]) -> dict[str, float]:
    """A timing as numbers, in the order in which the parts pass."""
    return {part: float(timing.get(part) or 0.0) for part in PARTS}


def bar(timing: dict[str, float], width: int) -> list[tuple[str, int]]:
    """Cells of a stacked bar: each part's colour and width, `width` in all; a part that took time has a cell."""
    spent = {part: value for part, value in timing.items() if value > 0}
    total = sum(spent.values())
    if total <= 0:
        return []
    cells = {part: max(1, round(width * value / total)) for part, value in spent.items()}
    while sum(cells.values()) > width:  # the widest part gives way
        widest = max(cells, key=lambda part: cells[part])
        if cells[widest] == 1:
            break
        cells[widest] -= 1
    while sum(cells.values()) < width:
        cells[max(cells, key=lambda part: spent[part])] += 1
    return [(PARTS_AND_REST[part], cells[part]) for part in spent]


def wants(row: dict[str, Any]) -> str:
    """How a function is called; and with what shape of event, if that is not plain."""
    shape = row.get("event", "plain")
    return str(row["signature"]) if shape == "plain" else f"{row['signature']}, {shape}"
