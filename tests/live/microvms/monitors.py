"""Whose machines are held to what: a QEMU's, those of what speaks as a Firecracker, and of one where there is one."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.worker.runtime.microvm import needs
from attacca.worker.runtime.microvm.needs import lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.fake.made import make
from tests.live.microvms.subject import BOOT_S

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
DESCRIPTION = CACHE / "attacca-firecracker" / "swagger.yaml"  # as scripts/firecracker.sh leaves it
REAL = shutil.which("firecracker")


@pytest.fixture(scope="module")
def fake() -> Iterator[Path]:
    """The program that speaks as a Firecracker, held to the published description."""
    modules = needs.find(MicroVmOptions(monitor="qemu")).modules
    program = make(DESCRIPTION, modules)
    yield program
    shutil.rmtree(program.parent)


@pytest.fixture(params=["qemu", "firecracker's API", "firecracker"])
def usual(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MicroVmOptions:
    """Of each, how its machines are."""
    if request.param == "qemu":
        own = MicroVmOptions(monitor="qemu", boot_timeout_s=BOOT_S)
    elif request.param == "firecracker":
        if REAL is None or not needs.has_kvm():
            pytest.skip("no firecracker on PATH, or no KVM")
        own = MicroVmOptions(monitor="firecracker", boot_timeout_s=BOOT_S)
    else:
        pretend(monkeypatch)
        program = str(request.getfixturevalue("fake"))
        own = MicroVmOptions(
            monitor="firecracker", firecracker=program, jailer="", boot_timeout_s=BOOT_S, monitor_timeout_s=BOOT_S
        )
    assert lacking(own) == "", "make microvms"
    return own


def pretend(patch: pytest.MonkeyPatch) -> None:
    """That there is KVM, which the fake does without."""
    patch.setattr(needs, "has_kvm", lambda: True)
    patch.setattr(needs, "KVM", Path("/dev/null"))
