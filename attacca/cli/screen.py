"""What people see: colours, numbers, errors. rich is imported only when something is laid out with it."""

import json
import os
import sys
from typing import IO, TYPE_CHECKING, Any, Literal

from attacca.errors import AttaccaError, envelope

if TYPE_CHECKING:
    from rich.console import Console

CODES = {
    "bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36",
    "bright_black": "90",
    "bold red": "1;31", "bold green": "1;32", "bold cyan": "1;36",
}  # fmt: skip
PARTS = {  # of an invocation's timing, in the order in which they pass; the colour of each
    "queued": "yellow", "placed": "magenta", "sandbox": "blue", "code": "cyan", "imports": "red", "run": "green",
}  # fmt: skip
REST = "rest"  # what passed between the parts
PARTS_AND_REST = {**PARTS, REST: "bright_black"}
STARTS = {"cold": "red", "template": "yellow", "prewarmed": "cyan", "warm": "green"}
PIPED = 200  # columns


def is_coloured(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def speaks_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").startswith("utf")


def paint(text: str, style: str, stream: IO[str]) -> str:
    return f"\x1b[{CODES[style]}m{text}\x1b[0m" if text and is_coloured(stream) else text


def say(text: str, style: str = "") -> None:
    """A line for people; never on stdout, which belongs to results."""
    sys.stderr.write((paint(text, style, sys.stderr) if style else text) + "\n")
    sys.stderr.flush()


def console(*, stderr: bool = False, width: int | None = None) -> "Console":
    """For tables and the like. What goes into a pipe or a file has room enough: nothing is folded or left out there."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    colours: Literal["auto"] | None = "auto" if is_coloured(stream) else None  # without: nothing bold either
    if width is None and not stream.isatty() and "COLUMNS" not in os.environ:
        width = PIPED
    return Console(stderr=stderr, width=width, color_system=colours, highlight=False, emoji=False, soft_wrap=False)


def show_json(value: object) -> None:
    """One JSON document on stdout: indented on a terminal, one line for programs."""
    indent = 2 if sys.stdout.isatty() else None
    is_ascii = not speaks_unicode(sys.stdout.encoding or "utf-8")  # a question mark would be another value
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=is_ascii) + "\n")
    sys.stdout.flush()


def show_error(error: AttaccaError, *, as_json: bool = False) -> None:
    """What happened, where, and what to try; on stderr."""
    if as_json:
        notes = getattr(error, "__notes__", [])
        body = envelope(error, **({"detail": "\n".join(notes)} if notes else {}))
        sys.stderr.write(json.dumps(body, ensure_ascii=False) + "\n")
        return
    sys.stderr.write(f"{paint('Error:', 'bold red', sys.stderr)} {error.message}\n")
    for note in getattr(error, "__notes__", []):
        for line in note.rstrip().splitlines():
            sys.stderr.write(paint(f"  {line}", "dim", sys.stderr) + "\n")
    if error.hint:
        sys.stderr.write(f"  {paint('Try:', 'bold green', sys.stderr)} {error.hint}\n")
    sys.stderr.flush()


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
