import pytest

from attacca.cli.screens.runtimes import show
from tests.cli.golden import same
from tests.lab.test_runtimes import FOUND


def test_the_parts_of_cold_starts_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    show(FOUND, width=130)
    same("bench_runtimes", capsys.readouterr().out)
