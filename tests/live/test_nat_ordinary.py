"""Where nothing leads out of sandboxes, a server says so before anything is deployed."""

import os
from pathlib import Path

import pytest

from attacca.model.function import Network
from attacca.worker.core.reports import TemplateFailed
from tests.live import ordinary
from tests.live.house import House, visit

WHY = 'network = "nat" of a server that does not run as root needs pasta or slirp4netns'


@pytest.mark.skipif(os.geteuid() == 0, reason="root may")
def test_an_ordinary_user_is_told_what_it_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

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
