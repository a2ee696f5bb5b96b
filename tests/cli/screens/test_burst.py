import pytest

from attacca.cli.screens.burst import show
from attacca.lab.burst import Shot
from tests.cli.golden import same

SHOTS = [Shot(ms, "warm", "") for ms in (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 2.0, 3.0)]
SHOTS += [Shot(9.0, "template", ""), Shot(31.0, "cold", ""), Shot(0.4, "", "queue_full"), Shot(0.5, "", "queue_full")]


def test_the_screen_of_a_burst(capsys: pytest.CaptureFixture[str]) -> None:
    show("hello", SHOTS, 0.5, 4, width=80)
    same("burst", capsys.readouterr().out)


def test_a_burst_without_one_success_has_no_latencies(capsys: pytest.CaptureFixture[str]) -> None:
    show("hello", [Shot(1.0, "", "not_found")] * 3, 0.1, 1, width=80)
    assert capsys.readouterr().out.splitlines()[-1].strip() == "3 not_found"
