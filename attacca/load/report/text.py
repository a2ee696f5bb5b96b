"""A report as text for the terminal: the same words and numbers, figures as far as letters can draw them."""

from collections.abc import Iterator, Sequence
from itertools import groupby, zip_longest
from textwrap import wrap

from attacca.load.report.digest import PART_NAMES, PARTS
from attacca.load.report.groups import Group
from attacca.load.report.metrics import span
from attacca.load.report.sections import Report, Section
from attacca.load.report.tables import Table

LETTERS = {
    "late": "l", "sending": ">", "queued": ".", "making": "#", "handing": "-", "running": "=", "answering": "<",
}  # fmt: skip
BLOCKS = " ▁▂▃▄▅▆▇█"


def text(report: Report, width: int = 120) -> str:
    lines = [report.title, "=" * len(report.title), *report.about, ""]
    lines += [f"! {line}" for line in report.warnings[:12]]
    lines += [""] * bool(report.warnings)
    for section in report.sections:
        lines += [*_section(section, report, width), ""]
    return "\n".join(lines).rstrip() + "\n"


def section(report: Report, key: str, width: int) -> list[str]:
    return [line for part in report.sections if part.key == key for line in _section(part, report, width)]


def _section(section: Section, report: Report, width: int) -> Iterator[str]:
    yield section.title
    yield "-" * len(section.title)
    yield from section.says
    if section.key == "time":
        yield from _lines(report, width)
    if section.key == "gantt":
        yield from _bars(report.detailed[0], width)
    for part in section.tables:
        yield ""
        yield from table(part, width)


def _lines(report: Report, width: int) -> Iterator[str]:
    yield ""
    for group in report.detailed:
        over = group.first.series
        for name, values in (("arrivals", over.arrivals), ("sandboxes", over.sandboxes), ("queue", over.queued)):
            known = [value for value in values if value is not None]
            if known:
                label = f"{group.label[:30]} {name}" if len(report.detailed) > 1 else name
                yield f"{label:<42}{sparkline(values, width - 60)} most {max(known):,.4g}"


def _bars(group: Group, width: int) -> Iterator[str]:
    """A letter for each part, each group of invocations at its own scale."""
    yield "   ".join(f"{LETTERS[part]} {PART_NAMES[part]}" for part in PARTS)
    for panel in group.first.gantt:
        yield ""
        yield panel.title
        most = max(bar.total_s for bar in panel.bars) or 1.0
        for bar in panel.bars:
            room = width - 52
            cells = (LETTERS[part] * round(room * value / most) for part, value in zip(PARTS, bar.parts, strict=True))
            yield f"{bar.label[:40]:<40}  {''.join(cells)} {span(bar.total_s)}"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """The values in at most `width` letters, from zero to their most."""
    count = max(1, min(width, len(values)))
    cells = []
    for _, some in groupby(enumerate(values), key=lambda item: item[0] * count // len(values)):
        known = [value for _, value in some if value is not None]
        cells.append(sum(known) / len(known) if known else None)
    most = max((cell for cell in cells if cell is not None), default=0.0) or 1.0
    return "".join(" " if cell is None else BLOCKS[-(-int(cell / most * 8000) // 1000)] for cell in cells)


def table(content: Table, width: int) -> list[str]:
    if content.is_prose:
        return prose(content, width)
    lines = [f"[{content.title}]"] if content.title else []
    rows = [row[: len(row) - content.has_words] for row in (content.head, *content.rows)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(size) if place == 0 else cell.rjust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip()[: max(width, 80)])
        if number == 0:
            lines.append("  ".join("·" * size for size in widths)[: max(width, 80)])
    return [*lines, content.note] if content.note else lines


def prose(content: Table, width: int) -> list[str]:
    """The first column as wide as it must be, the others share what is left and go on below."""
    rows = [content.head, *content.rows]
    first = max(len(row[0]) for row in rows)
    others = len(content.head) - 1
    room = max((max(width, 80) - first) // others - 2, 10)
    sizes = [first, *(min(room, max(len(row[place]) for row in rows)) for place in range(1, others + 1))]
    lines = [f"[{content.title}]"] if content.title else []
    for number, row in enumerate(rows):
        parts = [wrap(cell, size) or [""] for cell, size in zip(row, sizes, strict=True)]
        lines += [
            "  ".join(cell.ljust(size) for cell, size in zip(line, sizes, strict=True)).rstrip()
            for line in zip_longest(*parts, fillvalue="")
        ]
        if number == 0:
            lines.append("  ".join("·" * size for size in sizes))
    return lines
