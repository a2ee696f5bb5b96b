"""An ordinary user's server has no way out for sandboxes, and says so before anything is deployed."""

import os

import pytest

from attacca.model.function import Network
from attacca.worker.core.reports import TemplateFailed
from tests.live import ordinary
from tests.live.house import House, visit

WHY = 'network = "nat" needs a server that runs as root'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_an_ordinary_user_is_told_what_it_takes() -> None:
    async def story(house: House) -> None:
        failed = await house.template(house.function("def handler(): pass", network=Network.NAT))
        assert isinstance(failed, TemplateFailed)
        assert WHY in failed.message
        assert 'network = "host"' in failed.message

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_this_holds_for_an_ordinary_user() -> None:
    ordinary.run_again(__file__)


def test_without_isolation_there_is_none_either() -> None:
    async def story(house: House) -> None:
        failed = await house.template(house.function("def handler(): pass", network=Network.NAT))
        assert isinstance(failed, TemplateFailed)
        assert "needs isolation" in failed.message

    visit(story, isolation="none")
