import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from attacca.load.report import style
from attacca.load.report.metrics import number, span
from attacca.load.report.page import page
from attacca.load.report.sections import Report, report
from attacca.load.report.text import sparkline, text
from tests.load.report.play import digest, scenario

EMPTY = {"meta", "br", "path", "use", "rect"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    base: Path = tmp_path_factory.mktemp("runs")
    runs = [
        digest(base / f"{policy}-{seed}", scenario(seed, policy, 40.0), idle_s=idle_s)
        for policy, idle_s in (("lru", 60.0), ("ttl", 4.0))
        for seed in (1, 2)
    ]
    return report([*runs, digest(base / "live", scenario(1, "ttl", 40.0), "live", idle_s=4.0)])


@pytest.fixture(scope="module")
def whole(made: Report) -> str:
    return page(made)


class Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in EMPTY:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_a_page_is_sound_and_needs_nothing_else(whole: str) -> None:
    parser = Nesting()
    parser.feed(whole)
    assert (parser.wrong, parser.open) == ([], [])
    outside = set(re.findall(r'(?:src|href)="(?!#)([^"]+)"', whole)) | set(re.findall(r"url\((?!#)[^)]+\)", whole))
    assert outside == set()
    assert "<script" not in whole


def test_names_that_look_like_markup_are_text(made: Report) -> None:
    odd = '<script>alert("1")</script>'
    shown = page(msgspec.structs.replace(made, title=odd, about=[odd], warnings=[odd], sections=[]))
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 4


def test_no_name_on_the_page_is_used_twice_and_none_is_missing(whole: str) -> None:
    names = re.findall(r' id="([^"]+)"', whole)
    assert len(names) == len(set(names))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', whole)) <= set(names)


def test_figures_follow_the_readers_light(whole: str) -> None:
    assert "prefers-color-scheme:dark" in whole
    drawn = "".join(re.findall(r"<svg.*?</svg>", whole, re.DOTALL))
    assert "var(--ink)" in drawn
    assert "var(--c0)" in drawn
    assert style.INK not in drawn


def test_the_same_run_makes_the_same_figure(made: Report, whole: str) -> None:
    section = next(section for section in made.sections if section.key == "split")
    assert section.draw is not None
    with style.drawing():
        assert style.inline_svg(section.draw(), section.key, section.title) in whole


def test_every_figure_has_its_numbers_beside_it(made: Report) -> None:
    without = [section.key for section in made.sections if section.draw is not None and not section.tables]
    assert without == ["gantt"]
    assert {section.key for section in made.sections} == {
        "summary", "live", "latency", "slowdown", "cold", "applications", "throughput", "time", "split", "gantt",
        "functions", "runs",
    }  # fmt: skip


def test_text_says_what_the_page_says(made: Report) -> None:
    told = text(made, 160)
    for section in made.sections:
        assert section.title in told
    for word in ("warm-up", "samples", "generator late", "too few", "MSER-5", "KS distance"):
        assert word in told
    assert "=" * 20 in told  # a handler's bar


def test_what_makes_numbers_less_than_they_seem_is_said(made: Report) -> None:
    told = " ".join(made.warnings)
    assert "too few samples for a 99th percentile" in told
    assert "One seed only" in told


def test_figures_are_files_for_papers_too(made: Report, tmp_path: Path) -> None:
    section = next(section for section in made.sections if section.key == "slowdown")
    assert section.draw is not None
    with style.drawing():
        paths = style.export(section.draw(), tmp_path, section.key)
    assert [path.suffix for path in paths] == [".svg", ".pdf", ".png"]


def test_sparklines() -> None:
    assert sparkline([0.0, 1.0, 2.0, 4.0], 4) == " ▂▄█"
    assert sparkline([0.0, None, 1.0], 3) == "  █"
    assert sparkline([1.0] * 100, 10) == "█" * 10
    assert sparkline([0.0, 0.0], 5) == "  "


@pytest.mark.parametrize(
    ("value", "shown"), [(0.0, "0"), (0.00123, "0.0012"), (1.234, "1.23"), (56.78, "56.8"), (12345.0, "12,345")]
)
def test_numbers(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value_s", "shown"),
    [(2e-6, "2.00 µs"), (0.015, "15.0 ms"), (1.5, "1.50 s"), (600.0, "10.0 min"), (9000.0, "2.50 h")],
)
def test_spans(value_s: float, shown: str) -> None:
    assert span(value_s) == shown


def test_a_run_of_nothing_beside_others_can_be_drawn(tmp_path: Path) -> None:
    from attacca.load.report.groups import Group
    from attacca.load.report.shapes import cold
    from tests.load.report.test_measure import digest_of_rows, row

    full, empty = digest_of_rows(tmp_path / "full", row(0)), digest_of_rows(tmp_path / "empty")
    cold([Group("full", "simulated", [full]), Group("empty", "simulated", [empty])])
