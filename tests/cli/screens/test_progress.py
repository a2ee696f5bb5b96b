import pytest
from msgspec.structs import replace

from attacca.cli.screens.progress import Complainer, Watching, line
from attacca.lab.standing import Shown

NOW = Shown(elapsed_s=3.0, length_s=9.0, answered=1200, failed=0, rate=400.0, p50_ms=1.5, p99_ms=20.0, warning="")


def test_the_bar_says_rate_errors_and_percentiles() -> None:
    assert line(NOW) == "1,200 answered  400/s  0 failed  p50 1.50 ms  p99 20.0 ms"


def test_before_there_is_a_median_there_is_none() -> None:
    early = Shown(
        elapsed_s=0.5, length_s=9.0, answered=3, failed=1, rate=6.0, p50_ms=0.0, p99_ms=0.0, warning="", phase="warm-up"
    )
    assert line(early) == "3 answered  6/s  [red]1 failed[/]  [dim]warm-up[/]"


def test_a_warning_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    complain = Complainer()
    assert repr(complain) == "<Complainer has said ''>"
    for share in (5, 7):
        complain(replace(NOW, warning=f"! {share} % are late"))
    assert repr(complain) == "<Complainer has said ' are late'>"
    assert capsys.readouterr().err.count("are late") == 1


def test_who_watches_says_how() -> None:
    assert [repr(Watching(quiet=quiet)) for quiet in (True, False)] == ["<Watching quietly>", "<Watching aloud>"]
