from pathlib import Path

import msgspec
import pytest

from attacca.errors import IsolationMissing
from attacca.worker.runtime.microvm import needs
from attacca.worker.runtime.microvm.options import MicroVmOptions


def test_what_is_not_here_is_named_with_what_would_bring_it() -> None:
    with pytest.raises(IsolationMissing, match="micro-VMs need no-such-monitor, which is not here") as caught:
        needs.find(MicroVmOptions(monitor="qemu", qemu="no-such-monitor"))
    assert "apt-get install qemu-system-x86" in caught.value.hint
    assert needs.lacking(MicroVmOptions(monitor="qemu", qemu="no-such-monitor")) == caught.value.message


def test_the_kernel_with_the_highest_number_is_taken_and_only_one_for_guests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "BOOT", tmp_path)
    with pytest.raises(IsolationMissing, match="no kernel for micro-VMs"):
        needs._newest()
    for name in ("6.1.0-9-cloud-amd64", "6.1.0-57-cloud-amd64", "6.12.0-1-amd64"):
        (tmp_path / f"vmlinuz-{name}").touch()
    assert needs._newest().name == "vmlinuz-6.1.0-57-cloud-amd64"


def test_how_quick_a_processor_is_and_what_it_can_is_read_from_what_the_kernel_says() -> None:
    told = "processor\t: 0\ncpu MHz\t\t: 2299.998\nflags\t\t: fpu sse\n"
    assert needs.khz(told) == 2_299_998
    assert needs.features(told) == "flags\t\t: fpu sse"
    assert (needs.khz("nothing"), needs.features("nothing")) == (0, "")


@pytest.fixture
def firecracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that says what it is."""
    program = tmp_path / "firecracker"
    program.write_text("Firecracker v1.16.1\n")
    program.chmod(0o755)
    monkeypatch.setattr(needs, "has_kvm", lambda: True)
    monkeypatch.setattr(needs, "says", lambda path: path.read_text())
    return program


def test_firecracker_runs_them_where_it_and_kvm_are_and_else_qemu(
    firecracker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = MicroVmOptions(firecracker=str(firecracker))
    assert needs.choose(here) == "firecracker"
    assert needs.choose(MicroVmOptions(firecracker="/no/such")) == "qemu"
    assert needs.choose(msgspec.structs.replace(here, pool=1)) == "qemu", "it is too old for that"
    monkeypatch.setattr(needs, "has_kvm", lambda: False)
    assert needs.choose(here) == "qemu"
    asked = MicroVmOptions(firecracker=str(firecracker), monitor="firecracker")
    assert needs.choose(asked) == "firecracker"
    with pytest.raises(IsolationMissing, match="Firecracker needs /dev/kvm"):
        needs.find(asked)


def test_one_that_is_too_old_for_what_is_asked_of_it_is_named(firecracker: Path) -> None:
    own = MicroVmOptions(firecracker=str(firecracker), monitor="firecracker", pool=1)
    with pytest.raises(IsolationMissing, match=r"1.17 is the least for microvm.pool .*, and .*firecracker is 1.16"):
        needs.find(own)
    firecracker.write_text("Firecracker v1.9.0\n")
    with pytest.raises(IsolationMissing, match=r"1.16 is the least, and .*firecracker is 1.9"):
        needs.find(MicroVmOptions(firecracker=str(firecracker), monitor="firecracker"))
    firecracker.write_text("nonsense")
    with pytest.raises(IsolationMissing, match=r"is 0.0"):
        needs.find(MicroVmOptions(firecracker=str(firecracker), monitor="firecracker"))


def test_a_version_is_read_from_what_it_says() -> None:
    assert needs.version("Firecracker v1.16.1\n\nFirecracker exiting") == (1, 16)
    assert needs.version("nonsense") == (0, 0)
