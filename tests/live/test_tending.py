"""A daemon that takes an order and says nothing more: what was held for it is let go when the worker ends."""

import asyncio
import os
from pathlib import Path

import pytest

from attacca.worker.runtime.container.daemons import tending
from attacca.worker.runtime.container.daemons.tending import Charge, Tending

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


class Silent:
    """A `tending.Door` behind which nobody answers."""

    name, makes_networks = "silent", False

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Silent, {'asked' if self.asked.is_set() else 'not asked'}>"

    async def open(self, group: str, home: str) -> None: ...

    async def launch(self, job: Charge) -> None:
        self.asked.set()
        await asyncio.Event().wait()

    async def status(self, job: Charge) -> tuple[int, bool]:
        return 0, False

    async def remove(self, job: Charge) -> None: ...
    async def close(self) -> None: ...


def test_output_and_network_are_let_go_though_the_start_has_not_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tending, "LAST_S", 0.05)
    reader, writer = os.pipe()

    async def main() -> None:
        door = Silent()
        daemon = Tending(door, lambda _: None)
        await daemon.open()
        daemon.start("s1", {}, str(tmp_path), {}, [writer, writer])
        await door.asked.wait()
        os.close(writer)
        await daemon.close()
        assert os.read(reader, 1) == b"", "somebody could still write"

    os.set_blocking(reader, False)
    try:
        asyncio.run(main())
    finally:
        os.close(reader)
    assert list(Path("/run").glob(f"attacca-{os.getpid()}-*")) == []
