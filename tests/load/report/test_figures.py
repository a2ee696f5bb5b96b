"""Figures that can be read: in one column, in grey, by whoever sees fewer colours, with the letters of the paper."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from attacca.load.report import style
from attacca.load.report.digest import Digest
from attacca.load.report.groups import Group, grouped
from attacca.load.report.looks import in_order, looks
from attacca.load.report.sections import Report, report
from tests.load.report.play import digest, scenario

POLICIES = {"lru": 60.0, "ttl": 4.0, "greedy_dual": 30.0, "landlord": 20.0, "mine:Own": 10.0}
Row = tuple[float, float, float]
SEES: dict[str, tuple[Row, Row, Row]] = {  # linear red, green and blue of who lacks a kind of cones (Machado 2009)
    "all": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}


@pytest.fixture(scope="module")
def digests(tmp_path_factory: pytest.TempPathFactory) -> list[Digest]:
    base: Path = tmp_path_factory.mktemp("runs")
    return [
        digest(base / f"{number}-{seed}", scenario(seed, policy, 40.0), idle_s=idle_s)
        for number, (policy, idle_s) in enumerate(POLICIES.items())
        for seed in (1, 2)
    ]


@pytest.fixture(scope="module")
def reports(digests: list[Digest], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Five policies; a policy live and simulated; two policies over three sizes of memory."""
    base: Path = tmp_path_factory.mktemp("more")
    live = digest(base / "live", scenario(1, "ttl", 40.0), "live", idle_s=4.0)
    grid = [
        with_memory(one, policy, size)
        for policy in ("ttl", "lru")
        for size in (1024, 2048, 4096)
        for one in digests[:2]
    ]
    return {
        "many": report(digests),
        "live": report([digests[2], live]),
        "grid": report(grid),
        "one": report(digests[:1]),
    }


def with_memory(one: Digest, policy: str, size: int) -> Digest:
    system = {**one.info.scenario["system"], "memory_mb": size, "keepalive": {"policy": policy, "options": {}}}  # type: ignore[dict-item]
    info = msgspec.structs.replace(one.info, scenario={**one.info.scenario, "system": system})
    return msgspec.structs.replace(one, info=info)


def linear(colour: str) -> list[float]:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lab(colour: str, sees: Sequence[Row]) -> Row:
    """CIE 1976 of what is seen of it."""
    rgb = [min(max(sum(map(math.prod, zip(row, linear(colour), strict=True))), 0.0), 1.0) for row in sees]
    rows = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.072175), (0.0193339, 0.119192, 0.9503041))
    xyz = [sum(map(math.prod, zip(row, rgb, strict=True))) for row in rows]
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (xyz[0] / 0.95047, xyz[1], xyz[2] / 1.08883)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("colours", [style.COLOURS, style.DARK])
@pytest.mark.parametrize("sees", SEES)
def test_colours_are_apart_for_everybody_and_in_grey(sees: str, colours: tuple[str, ...]) -> None:
    """A difference of 2 is just seen, one of 20 at a glance; in grey only the first number is left."""
    found = [lab(colour, SEES[sees]) for colour in colours]
    for one, other in itertools.combinations(found, 2):
        assert math.dist(one, other) > 20.0
    if sees == "all":
        lightness = sorted(one[0] for one in found)
        assert all(after - before > 4.0 for before, after in itertools.pairwise(lightness))


def test_dashes_and_markers_tell_them_apart_too() -> None:
    assert len(set(style.DASHES)) == len(set(style.MARKERS)) == len(style.COLOURS)


def test_a_policy_has_one_place_and_one_look_whoever_is_beside_it(digests: list[Digest]) -> None:
    whole = grouped(digests)
    wanted = {label: look.place for label, look in looks(whole).items()}
    for some in itertools.permutations(whole, 3):
        assert {label: look.place for label, look in looks(some).items()}.items() <= wanted.items()
    names = [group.label for group in in_order(whole)]
    assert names == list(POLICIES)
    for every in itertools.permutations(whole):
        assert [group.label for group in in_order(every)] == names


def test_one_policy_with_two_options_keeps_its_colour_and_changes_its_dash(digests: list[Digest]) -> None:
    first = grouped(digests[:2])[0]
    groups = [
        Group(f"ttl idle_s={number}", "simulated", [with_memory(first.first, "ttl", number)]) for number in (1, 2)
    ]
    groups.append(Group("lru", "simulated", [with_memory(first.first, "lru", 1)]))
    found = looks(groups)
    assert found["ttl idle_s=1"].colour == found["ttl idle_s=2"].colour != found["lru"].colour
    assert found["ttl idle_s=1"].line != found["ttl idle_s=2"].line
    assert found["ttl idle_s=1"].marker != found["ttl idle_s=2"].marker


def test_the_first_that_is_given_is_compared_with_wherever_it_is_drawn(digests: list[Digest]) -> None:
    made = report([*digests[4:6], *digests[:4]])
    assert [group.label for group in made.groups] == ["lru", "ttl", "greedy_dual"]
    compared = next(section for section in made.sections if section.key == "comparison")
    assert compared.tables[0].rows[0][0] == "greedy_dual"


def figures(made: Report) -> Iterator[tuple[str, Callable[[], Figure]]]:
    for section in made.sections:
        if section.draw is not None:
            yield section.key, section.draw


@pytest.mark.parametrize("width", style.WIDTHS)
@pytest.mark.parametrize("name", ["many", "live", "grid", "one"])
def test_no_label_lies_on_another_or_outside(reports: dict[str, Report], name: str, width: str) -> None:
    for key, draw in figures(reports[name]):
        with style.drawing(width):
            drawn = draw()
            boxes = seen(drawn)
        assert drawn.get_figwidth() <= style.WIDTHS[width]
        for words, box in boxes:
            assert drawn.bbox.x0 - 1 <= box.x0, f"{name} {key}: {words!r} is cut"
            assert box.x1 <= drawn.bbox.x1 + 1, f"{name} {key}: {words!r} is cut"
        for (words, one), (others, other) in itertools.combinations(boxes, 2):
            shared = min(one.x1, other.x1) - max(one.x0, other.x0), min(one.y1, other.y1) - max(one.y0, other.y0)
            assert min(shared) < 1.5, f"{name} {key} {width}: {words!r} lies on {others!r}"


def ticks(drawn: Figure) -> dict[int, Axis]:
    return {
        id(label): axis
        for axes in drawn.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in (*axis.majorTicks, *axis.minorTicks)
        for label in (tick.label1, tick.label2)
    }


def is_seen(box: Bbox, axis: Axis | None) -> bool:
    """Labels of ticks beyond the ends of an axis are there, but not drawn."""
    if axis is None:
        return True
    x, y, inside = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2, axis.axes.bbox
    if axis is axis.axes.xaxis:
        return axis.axes.get_visible() and inside.x0 - 1 <= x <= inside.x1 + 1
    return axis.axes.get_visible() and inside.y0 - 1 <= y <= inside.y1 + 1


def seen(drawn: Figure) -> list[tuple[str, Bbox]]:
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()  # type: ignore[no-untyped-call]
    of = ticks(drawn)
    texts = drawn.findobj(Text)
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    found = [(text, text.get_window_extent(renderer)) for text in texts if text.get_text().strip()]
    return [(text.get_text(), box) for text, box in found if text.get_visible() and is_seen(box, of.get(id(text)))]


def test_files_for_a_paper_have_letters_not_outlines(reports: dict[str, Report], tmp_path: Path) -> None:
    key, draw = next(figures(reports["many"]))
    with style.drawing("column"):
        svg, pdf, png = style.export(draw(), tmp_path, key)
    assert "<text" in svg.read_text()
    assert "greedy_dual" in svg.read_text()
    assert b"/Type /Font" in pdf.read_bytes()
    assert b"/Subtype /Type3" not in pdf.read_bytes()
    assert png.read_bytes().startswith(b"\x89PNG")
