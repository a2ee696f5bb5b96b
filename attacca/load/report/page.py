"""A report as one HTML file that needs nothing else: no network, no script, light or dark as its reader likes."""

from collections.abc import Mapping
from html import escape
from typing import Final

from attacca.load.report import style
from attacca.load.report.looks import looks
from attacca.load.report.sections import Report, Section
from attacca.load.report.tables import Table

LIGHT: Final = ";".join(f"--c{index}:{colour}" for index, colour in enumerate(style.COLOURS))
DARK: Final = ";".join(f"--c{index}:{colour}" for index, colour in enumerate(style.DARK))
NIGHT: Final = f"--ink:#e6e9ed;--soft:#98a2ae;--grid:#2b323a;--paper:#171b20;--page:#101317;--note:#3a2d12;{DARK}"
DAY: Final = f"--ink:#1b1f24;--soft:#5b6470;--grid:#dfe3e8;--paper:#ffffff;--page:#f4f6f8;--note:#fff4d6;{LIGHT}"
CSS: Final = f"""
:root{{color-scheme:light dark;{DAY}}}
@media (prefers-color-scheme:dark){{:root{{{NIGHT}}}}}
*{{box-sizing:border-box}}
body{{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI","DejaVu Sans",sans-serif}}
main{{max-width:1240px;margin:0 auto;padding:28px 20px 60px}}
h1{{font-size:26px;margin:0 0 4px;letter-spacing:-.01em}}
h2{{font-size:17px;margin:0 0 2px}}
p{{margin:2px 0;color:var(--soft);max-width:85ch}}
nav{{margin:14px 0 18px;display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13.5px}}
a{{color:var(--c0);text-decoration:none}}a:hover{{text-decoration:underline}}
section{{background:var(--paper);border:1px solid var(--grid);border-radius:8px;padding:16px 18px;margin:0 0 16px}}
.both{{display:flex;flex-wrap:wrap;gap:14px 26px;align-items:flex-start;margin-top:8px}}
.both>figure{{flex:1 1 520px;max-width:690px}}
.both>.tables{{flex:0 1 auto;max-width:100%;padding-top:4px}}
.stack>figure{{margin:8px 0}}
figure{{margin:0}}
.tables{{display:flex;flex-wrap:wrap;gap:14px 28px}}
.table{{overflow-x:auto;max-width:100%}}
table{{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}}
caption{{text-align:left;color:var(--soft);padding:2px 0}}
th,td{{padding:3px 12px 3px 0;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}}
th{{font-weight:600;vertical-align:bottom}}th:first-child,td:first-child{{text-align:left;padding-right:16px}}
tr:last-child td{{border-bottom:0}}
.prose td,.prose th{{text-align:left;white-space:normal;overflow-wrap:anywhere;vertical-align:top}}
.prose td:first-child{{white-space:nowrap;overflow-wrap:normal}}
.table p{{font-size:13px}}
.key{{display:inline-block;width:9px;height:9px;border-radius:2px;margin-right:6px}}
td.words{{text-align:left;color:var(--soft);white-space:normal;padding-left:18px}}
.better{{color:var(--c2);font-weight:600}}.worse{{color:var(--c1);font-weight:600}}
.note{{background:var(--note);border-radius:6px;padding:8px 12px;margin:10px 0}}
.note p{{color:var(--ink);max-width:none}}
details summary{{cursor:pointer;color:var(--soft);font-size:13.5px;margin-top:10px}}
footer{{color:var(--soft);font-size:13px}}
@media print{{body{{background:#fff}}section{{break-inside:avoid}}}}
"""


def page(report: Report) -> str:
    groups = {label: look.place for label, look in looks(report.detailed).items()}
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(report.title)}</title><style>{CSS.strip()}</style></head><body><main>",
        f"<header><h1>{escape(report.title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in report.about),
    ]
    if report.warnings:
        said = "".join(f"<p>{escape(line)}</p>" for line in report.warnings[:12])
        parts.append(f'<div class="note" role="note">{said}</div>')
    links = (f'<a href="#{section.key}">{escape(section.title)}</a>' for section in report.sections)
    parts += ["<nav>", *links, "</nav></header>"]
    parts += [_section(section, groups) for section in report.sections]
    versions = {name: version for group in report.groups for name, version in group.first.info.versions.items()}
    told = " · ".join(f"{name} {version}" for name, version in versions.items())
    parts.append(f"<footer>{escape(told)}</footer></main></body></html>")
    return "\n".join(parts) + "\n"


def _section(section: Section, groups: Mapping[str, int]) -> str:
    words = "".join(f"<p>{escape(line)}</p>" for line in section.says)
    if section.key == "runs":
        folded = (
            f"<details><summary>{escape(one.title)}</summary>{_table(one, groups)}</details>" for one in section.tables
        )
        return f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{words}{"".join(folded)}</section>'
    tables = "".join(_table(table, groups) for table in section.tables)
    drawn = _drawn(section)
    shape = "stack" if section.is_wide or not drawn else "both"
    inside = f'<div class="{shape}">{drawn}<div class="tables">{tables}</div></div>'
    return f'<section id="{section.key}"><h2>{escape(section.title)}</h2>{words}{inside}</section>'


def _drawn(section: Section) -> str:
    if section.draw is None:
        return ""
    with style.drawing():
        return (
            f"<figure style='margin:0'>{style.inline_svg(section.draw(), section.key, escape(section.title))}</figure>"
        )


def _table(table: Table, groups: Mapping[str, int]) -> str:
    head = "".join(f"<th>{_name(cell, groups)}</th>" for cell in table.head)
    rows = "".join(f"<tr>{_row(row, table, groups)}</tr>" for row in table.rows)
    caption = table.title if table.title not in ("settings", "each run") else ""
    told = f"<caption>{escape(caption)}</caption>" if caption else ""
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    kind = " prose" if table.is_prose else ""
    return (
        f'<div class="table{kind}"><table>{told}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}</div>'
    )


def _row(row: list[str], table: Table, groups: Mapping[str, int]) -> str:
    told = [f'<td class="words">{escape(cell)}</td>' for cell in row[-1:]] if table.has_words else []
    return "".join([*(_cell(cell, groups) for cell in row[: len(row) - len(told)]), *told])


def _cell(cell: str, groups: Mapping[str, int]) -> str:
    if cell in ("better", "worse"):
        return f'<td class="{cell}">{cell}</td>'
    return f"<td>{_name(cell, groups)}</td>"


def _name(cell: str, groups: Mapping[str, int]) -> str:
    """A configuration's name carries the colour that it has in the figures."""
    if len(groups) > 1 and cell in groups:
        place = groups[cell] % len(style.COLOURS)
        return f'<span class="key" style="background:var(--c{place})"></span>{escape(cell)}'
    return escape(cell)
