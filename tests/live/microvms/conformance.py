"""Micro-VMs do what every runtime's sandboxes must."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime import bench
from attacca.worker.runtime.conformance import NEEDS, check_runtime
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live import needed, outside
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.subject import BOOT_S, MicroVmSubject

__all__ = ["fake", "usual"]  # pytest's fixtures


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Disks and machines that have booted are kept here between checks."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module", autouse=True)
def _machine() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    needed.expect("nft")
    with outside.outside():
        yield


def test_it_passes_all_checks(state: Path, usual: MicroVmOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PATIENCE_S", BOOT_S)

    async def main() -> list[str]:
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: MicroVmSubject(state, usual, Nat(NatOptions())))

    assert asyncio.run(main()) == [check.__name__ for check in NEEDS]
