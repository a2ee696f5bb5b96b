from pathlib import Path

import pytest

from attacca.errors import IsolationMissing
from attacca.worker.runtime.microvm import needs
from attacca.worker.runtime.microvm.options import MicroVmOptions


def test_what_is_not_here_is_named_with_what_would_bring_it() -> None:
    with pytest.raises(IsolationMissing, match="micro-VMs need no-such-monitor, which is not here") as caught:
        needs.find(MicroVmOptions(qemu="no-such-monitor"))
    assert "apt-get install qemu-system-x86" in caught.value.hint
    assert needs.lacking(MicroVmOptions(qemu="no-such-monitor")) == caught.value.message


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
