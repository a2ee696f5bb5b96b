"""`attacca report`: one page, or text, of what recorded runs looked like, and how surely they differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attacca.cli.options import Json
from attacca.cli.screens.terminal import put, say, show_json
from attacca.errors import BadConfig, NotFound, StateUnavailable
from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.load.report.groups import Group
    from attacca.load.report.published import Published
    from attacca.load.report.sections import Report

EXAMPLES = """
attacca report runs/first  # as text, here
attacca report runs/first --out first.html
attacca report runs/lru-* runs/greedy-* --out policies.html --figures figures
attacca report runs/lru-* runs/ttl-* --figures figures --width column  # of a paper in two columns
attacca report runs/live runs/simulated  # and how far apart they are
attacca report runs/azure-500 --beside dirigent
"""

Width = Annotated[
    str, typer.Option("--width", metavar="WIDTH", help="Of the figures, in a paper: column or page.")
]  # fmt: skip


def run(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Directories of runs, or that hold some.", show_default=False),
    ],
    *,
    out: Annotated[
        str,
        typer.Option("--out", metavar="FILE.html", help="Write one self-contained page.", show_default=False),
    ] = "",
    figures: Annotated[
        str, typer.Option("--figures", metavar="DIR", help="Write each figure as SVG, PDF and PNG.", show_default=False)
    ] = "",
    wide: Width = "page",
    beside: Annotated[
        str,
        typer.Option(
            "--beside",
            metavar="NAME",
            help="Show what others published of the same trace: dirigent.",
            show_default=False,
        ),
    ] = "",
    text: Annotated[bool, typer.Option("--text", help="Print the text too, beside a page.")] = False,
    as_json: Json = False,
) -> None:
    """Show what runs looked like: latencies, slowdown, cold starts, the platform over time, and how policies compare.

    The first run given is the one that the others are compared with. Runs that differ only in their seed count as one
    configuration, whose numbers come with an interval.
    """
    need_lab()
    from attacca.load.report.measure import read
    from attacca.load.report.sections import report

    whole = report([read(path) for path in found(runs)], published(beside))
    if out:
        write(whole, Path(out))
    if figures:
        draw(whole, Path(figures), wide)
    if as_json:
        show_json(numbers(whole))
    elif beside and (out or figures) and not text:
        from attacca.load.report.text import section

        put("\n".join(section(whole, "beside", width())))
    elif text or not (out or figures):
        from attacca.load.report.text import text as as_text

        put(as_text(whole, width()).removesuffix("\n"))


def published(name: str) -> "Published | None":
    from attacca.load.report.published import PUBLISHED

    if name and name not in PUBLISHED:
        raise BadConfig(f"--beside {name}: nothing of that name is known", f"known: {', '.join(PUBLISHED)}")
    return PUBLISHED[name] if name else None


def found(given: list[str]) -> list[Path]:
    """The runs named, and those inside the directories named, in the order given.

    Raises:
        NotFound: there is none in one of them.
    """
    paths: list[Path] = []
    for name in given:
        path = Path(name)
        inside = (
            [path] if is_run(path) else sorted(info.parent for info in path.rglob("run.json") if is_run(info.parent))
        )
        if not inside:
            hint = "give the directory that `attacca load run` or `attacca sim run` wrote"
            raise NotFound(f"there is no run in {name!r}", hint)
        paths += inside
    return list(dict.fromkeys(paths))


def is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def width() -> int:
    import shutil

    return max(shutil.get_terminal_size((120, 40)).columns, 80)


def write(report: "Report", path: Path) -> None:
    from attacca.load.report.page import page

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page(report), encoding="utf-8")
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be written: {error.strerror}", "give another --out") from None
    say(f"{path}: {path.stat().st_size / 1024:,.0f} kB", "green")


def draw(report: "Report", folder: Path, wide: str = "page") -> None:
    """
    Raises:
        BadConfig: a paper has no such width.
    """
    from attacca.load.report import style

    if wide not in style.WIDTHS:
        raise BadConfig(f"--width {wide[:40]!r} is no width of a paper", " or ".join(style.WIDTHS))
    written = []
    for section in report.sections:
        if section.draw is not None:
            with style.drawing(wide):
                written += style.export(section.draw(), folder, section.key)
    say(f"{folder}: {len(written)} files", "green")


def numbers(report: "Report") -> dict[str, object]:
    """For programs: each configuration's metrics with their intervals."""
    from attacca.load.report.groups import measured
    from attacca.load.report.sections import COMPARED

    groups = []
    for group in report.groups:
        metrics = {}
        for name in measured([group]):
            value = group.metric(name)
            assert value is not None
            metrics[name] = {"value": value.value, "low": value.low, "high": value.high, "note": value.note}
        groups.append({"label": group.label, "kind": group.kind, "seeds": group.seeds, "metrics": metrics})
    content: dict[str, object] = {"title": report.title, "warnings": report.warnings, "configurations": groups}
    content["comparisons"] = comparisons(report.groups, measured(report.groups, (*COMPARED, "error_share")))
    for section in report.sections:
        if section.key == "beside":
            content["beside"] = {
                "says": section.says,
                "tables": [{"title": table.title, "head": table.head, "rows": table.rows} for table in section.tables],
            }
    return content


def comparisons(groups: Sequence["Group"], metrics: Sequence[str]) -> list[dict[str, object]]:
    """For programs: each configuration with the first that was given, seed by seed."""
    from attacca.load.report.groups import paired

    base = next((group for group in groups if group.is_base), groups[0])
    against: list[dict[str, object]] = []
    for group in groups:
        for name in metrics:
            pair = None if group is base else paired(base, group, name)
            if pair is not None:
                against.append({
                    "metric": name, "base": base.label, "other": group.label, "seeds": pair.difference.samples,
                    "difference": pair.difference.value, "low": pair.difference.low, "high": pair.difference.high,
                    "ratio": pair.ratio.value, "ratio_low": pair.ratio.low, "ratio_high": pair.ratio.high,
                    "wilcoxon": pair.chance, "wilcoxon_least": 0.5 ** max(pair.difference.samples - 1, 0),
                    "verdict": pair.verdict,
                })  # fmt: skip
    return against
