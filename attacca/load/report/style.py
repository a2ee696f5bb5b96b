"""How figures look: one set of colours by name, so that a page can show them light or dark."""

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

INK, SOFT, GRID, PAPER = "#1b1f24", "#5b6470", "#dfe3e8", "#fdfefe"
# Found by search: apart in lightness, so in grey too, and apart for those who lack one of the three kinds of cones.
COLOURS: Final = ("#4159d7", "#fc9980", "#9e1a49", "#887a09", "#051184", "#ac91f3", "#f945a3", "#740960")
DARK: Final = ("#c2bdfe", "#f1a28e", "#1c9b3f", "#b9a722", "#49e8d6", "#b977fa", "#c8fe98", "#e6e649")
DASHES: Final = (
    "-", (0, (6, 2)), (0, (2, 1.5)), (0, (7, 2, 1.5, 2)), (0, (10, 2)), (0, (1, 1)), (0, (4, 1.5, 1, 1.5, 1, 1.5)),
    (0, (8, 2, 3, 2)),
)  # fmt: skip
MARKERS: Final = "os^DvPX*"
WIDTHS: Final = {"column": 3.4, "page": 7.2}  # inches, of a paper in two columns
PARTS: Final = dict(
    zip(("late", "sending", "queued", "making", "handing", "running", "answering"),
        (COLOURS[5], COLOURS[7], COLOURS[4], COLOURS[1], COLOURS[6], COLOURS[0], COLOURS[3]), strict=True)
)  # fmt: skip
VARIABLES: Final = {
    INK: "var(--ink)", SOFT: "var(--soft)", GRID: "var(--grid)", PAPER: "var(--paper)",
    **{colour: f"var(--c{index})" for index, colour in enumerate(COLOURS)},
}  # fmt: skip
RULES: Final = {
    "font.family": ["DejaVu Sans"], "font.size": 9.0, "axes.titlesize": 9.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.labelsize": 9.0, "xtick.labelsize": 8.0, "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0, "legend.frameon": False, "legend.handlelength": 2.2, "axes.spines.top": False,
    "axes.spines.right": False, "axes.edgecolor": SOFT, "axes.linewidth": 0.8, "axes.labelcolor": INK,
    "text.color": INK, "xtick.color": SOFT, "ytick.color": SOFT, "xtick.labelcolor": INK, "ytick.labelcolor": INK,
    "axes.grid": True, "grid.color": GRID, "grid.linewidth": 0.7, "axes.axisbelow": True, "lines.linewidth": 1.7,
    "lines.solid_capstyle": "round", "figure.facecolor": PAPER, "axes.facecolor": "none", "savefig.facecolor": PAPER,
    "figure.constrained_layout.use": True, "figure.constrained_layout.w_pad": 0.1, "svg.fonttype": "none",
    "axes.formatter.useoffset": False,
    "axes.unicode_minus": True, "pdf.fonttype": 42, "lines.markersize": 4.0,
}  # fmt: skip
_width: ContextVar[str] = ContextVar("width", default="page")


@contextmanager
def drawing(width: str = "page", **more: Any) -> Iterator[None]:
    """`width`: how much of a paper a figure takes."""
    rules: Any = {**RULES, **more}
    before = _width.set(width)
    try:
        with mpl.rc_context(rules):
            yield
    finally:
        _width.reset(before)


def is_narrow() -> bool:
    return _width.get() == "column"


def figure(height: float = 3.4, width: float = WIDTHS["page"]) -> Figure:
    return Figure(figsize=(min(width, WIDTHS[_width.get()]), height), layout="constrained")


def beside(panels: int) -> int:
    """So many of them, at most, stand beside each other."""
    return min(panels, 1 if is_narrow() else panels)


def marks(points: int) -> int:
    """Every how many points a line has a marker, so that it can be told from others without colours."""
    return max(points // 8, 1)


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def key(drawn: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """A legend over the figure, in as many columns as there is room for; none for a single line."""
    if len(labels) < 2:
        return
    longest = max(map(len, labels)) + 7
    columns = max(1, min(len(labels), int(drawn.get_figwidth() * 15 / longest)))
    drawn.legend(handles, labels, loc="outside upper left", ncols=columns)


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def dash(index: int) -> Any:
    return DASHES[index % len(DASHES)]


def time_axis(axis: Any) -> None:
    """Seconds on a logarithmic axis, with the unit that fits each tick; once everything is drawn."""
    _ticks(axis)
    axis.set_major_formatter(FuncFormatter(lambda value, _: short_span(value)))


def plain_log(axis: Any) -> None:
    """Logarithmic, with numbers as people write them; once everything is drawn."""
    _ticks(axis)
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value < 1e5 else f"{value:.0e}"))


def _ticks(axis: Any) -> None:
    """As many as have room: powers of ten over many decades, steps between them over few."""
    low, high = sorted(axis.get_view_interval())
    decades = math.log10(high / low) if low > 0 else 9.0
    marks: list[float] = []
    most = 6 if is_narrow() else 10
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        marks = [float(f"{step * 10.0**power:.3g}") for power in range(-9, 9) for step in steps]
        marks = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
        if len(marks) >= 3:
            break
    if decades < 0.35:
        marks = [float(f"{mark:.6g}") for mark in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)]
    marks = [mark for mark in marks if low * 0.999 <= mark <= high * 1.001]
    axis.set_major_locator(FixedLocator(marks[:: -(-len(marks) // most)] if marks else []))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def short_span(value_s: float) -> str:
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value_s >= size * 0.9999:
            return f"{value_s / size:g} {unit}"
    return f"{value_s * 1e9:g} ns" if value_s > 0 else "0"


def legend(axes: Axes) -> None:
    drawn = axes.get_figure()
    assert isinstance(drawn, Figure)
    key(drawn, *axes.get_legend_handles_labels())


def inline_svg(drawn: Figure, key: str, says: str) -> str:
    """For a page: colours are the page's variables, text is text, and no id is used twice."""
    with drawing(**{"svg.hashsalt": key}):
        held = io.StringIO()
        drawn.savefig(held, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = held.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for plain, variable in VARIABLES.items():
        text = text.replace(plain, variable)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)
    for name in sorted(used):  # marks and clips of different figures may have the same name
        text = text.replace(f'id="{name}"', f'id="{key}-{name}"').replace(f'"#{name}"', f'"#{key}-{name}"')
        text = text.replace(f"url(#{name})", f"url(#{key}-{name})")
    wide = f'style="max-width:{drawn.get_figwidth() * 93:.0f}px"'
    text = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', wide, text, count=1)
    text = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{says}"', 1).strip()


def export(drawn: Figure, folder: Path, key: str) -> list[Path]:
    """For a paper: vectors whose letters are letters, and pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{key}.{form}" for form in ("svg", "pdf", "png")]
    with drawing(_width.get(), **{"svg.hashsalt": key, "savefig.facecolor": "white"}):
        drawn.savefig(paths[0], metadata={"Date": None})
        drawn.savefig(paths[1], metadata={"CreationDate": None})
        drawn.savefig(paths[2], dpi=200)
    return paths
