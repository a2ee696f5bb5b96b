"""A report as one HTML file: its template is page.html.jinja."""

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from attacca.load.report import style
from attacca.load.report.looks import looks
from attacca.load.report.sections import Report, Section

LIGHT: Final = ";".join(f"--c{index}:{colour}" for index, colour in enumerate(style.COLOURS))
DARK: Final = ";".join(f"--c{index}:{colour}" for index, colour in enumerate(style.DARK))
NIGHT: Final = f"--ink:#e6e9ed;--soft:#98a2ae;--grid:#2b323a;--paper:#171b20;--page:#101317;--note:#3a2d12;{DARK}"
DAY: Final = f"--ink:#1b1f24;--soft:#5b6470;--grid:#dfe3e8;--paper:#ffffff;--page:#f4f6f8;--note:#fff4d6;{LIGHT}"


def page(report: Report) -> str:
    """The whole page. What comes from runs, their names say, is escaped by the template's engine."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    colours = {label: look.place % len(style.COLOURS) for label, look in looks(report.detailed).items()}
    versions = {name: version for group in report.groups for name, version in group.first.info.versions.items()}
    return environment.get_template("page.html.jinja").render(
        report=report,
        drawn=_drawn,
        places=colours if len(colours) > 1 else {},  # a configuration's name carries the colour of its figures
        versions=" · ".join(f"{name} {version}" for name, version in versions.items()),
        day=DAY,
        night=NIGHT,
    )


def _drawn(section: Section) -> Markup:
    """The section's figure, which escapes its own text; nothing where it has none."""
    if section.draw is None:
        return Markup("")
    with style.drawing():
        svg = style.inline_svg(section.draw(), section.key, str(escape(section.title)))
    return Markup(f"<figure style='margin:0'>{svg}</figure>")
