"""Every function of examples/compat, as its platform's users write it, deployed as it is and called as they would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.called import calls, deploy, expect
from tests.live.whole import Whole, running

pytestmark = pytest.mark.live

PLACE = Path(__file__).parents[2] / "examples" / "compat"
NAMES = sorted(found.parent.name for found in PLACE.glob("*/calls.toml"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("compat") / "state") as whole:
        yield whole


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_as_it_is(server: Whole, name: str) -> None:
    deploy(server, name, PLACE / name, memory_mb=256)
    for told in calls(PLACE / name):
        expect(server, name, told)
    server.delete(name)
