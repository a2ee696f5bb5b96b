"""Micro-VMs do what every runtime's sandboxes must."""

import asyncio
import os
from pathlib import Path

import pytest

from attacca.worker.runtime import bench
from attacca.worker.runtime.conformance import NEEDS, check_runtime
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.subject import BOOT_S, MicroVmSubject

__all__ = ["fake", "usual"]  # pytest's fixtures


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Disks and machines that have booted are kept here between checks."""
    return tmp_path_factory.mktemp("state")


def test_it_passes_all_checks(state: Path, usual: MicroVmOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "PATIENCE_S", BOOT_S)

    async def main() -> list[str]:
        await asyncio.to_thread(os.getpid)  # the loop's own thread is there
        return await check_runtime(lambda: MicroVmSubject(state, usual))

    assert asyncio.run(main()) == [check.__name__ for check in NEEDS]
