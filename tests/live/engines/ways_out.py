"""A container that a daemon starts has the same way out as any other."""

import os
from pathlib import Path

import msgspec
import pytest

from attacca.worker.runtime.container.options import ContainerOptions
from tests.live import outside
from tests.live.engines.conformance import DAEMONS
from tests.live.engines.daemons import running
from tests.live.test_nat import reaches_what_its_list_names

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


@pytest.mark.parametrize("kind", DAEMONS)
def test_it_reaches_what_its_list_names(kind: str, tmp_path: Path) -> None:
    with running(kind, tmp_path / "daemon") as daemon, outside.outside():
        server = outside.host_service()
        try:
            told = {"engine": kind, kind: daemon.socket}
            options = msgspec.convert(told, ContainerOptions)
            reaches_what_its_list_names(tmp_path, options)
        finally:
            server.shutdown()
            server.server_close()
