import os
from pathlib import Path

from attacca.kernel.clock import ManualClock
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.microvm.bases import Bases
from attacca.worker.runtime.microvm.cards import Cards
from attacca.worker.runtime.microvm.disks import BLOCK, Disks, directory
from attacca.worker.runtime.microvm.machines import Machines, OpenFiles, copy_sparsely
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qemu_monitor import Qemu
from attacca.worker.runtime.microvm.runtime import MicroVmRuntime
from attacca.worker.runtime.process.options import ProcessOptions


def test_what_is_copied_is_the_same_and_has_the_same_holes(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb+") as source, open(tmp_path / "b", "wb+") as target:
        os.truncate(source.fileno(), 1 << 20)
        os.pwrite(source.fileno(), b"in the middle", 512 << 10)
        copy_sparsely(source.fileno(), target.fileno())
        assert os.pread(target.fileno(), 2 << 20, 0) == os.pread(source.fileno(), 2 << 20, 0)
        assert os.fstat(target.fileno()).st_blocks < 64


def test_what_is_nothing_but_a_hole_is_copied_as_one(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb+") as source, open(tmp_path / "b", "wb+") as target:
        os.truncate(source.fileno(), 1 << 20)
        copy_sparsely(source.fileno(), target.fileno())
        assert os.fstat(target.fileno()).st_size == 1 << 20


def test_files_that_were_opened_are_closed(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(bytes(BLOCK))
    with OpenFiles() as opened:
        name = opened.file(tmp_path / "disk")
        assert name.read_bytes() == bytes(BLOCK)
        assert repr(opened) == "<OpenFiles 1 files>"
    assert not name.exists()


def test_disks_of_what_is_deployed_no_longer_go(tmp_path: Path) -> None:
    disks = Disks(tmp_path / "vms", tmp_path, tmp_path / "bundles")
    disks.open()
    (tmp_path / "a").mkdir()
    for name in ("code-a", "code-b", "bundle-c", "root-d"):
        (disks.place / name).touch()
    disks.sweep()
    assert sorted(path.name for path in disks.place.iterdir()) == ["code-a", "root-d"]
    (disks.place / ".unfinished-x").mkdir()
    (disks.place / ".unfinished-y").touch()
    (disks.place / ".machine-999999999-x").mkdir()
    mine = directory(disks.place)
    disks.sweep_machines()
    disks.open()
    assert sorted(path.name for path in disks.place.iterdir()) == [mine.name, "code-a", "root-d"]


def test_they_say_their_state(tmp_path: Path) -> None:
    store, options = SharedCode(tmp_path), MicroVmOptions()
    machines, cards = Machines(store, options, tmp_path), Cards(Nat(NatOptions()))
    assert repr(machines) == f"<Machines nothing made, <Disks {tmp_path}>>"
    bases = Bases(Qemu(options, tmp_path), machines, options, None, cards.bare, lambda _: None, lambda _: None)
    assert repr(bases) == "<Bases 0 booting>"
    assert repr(cards) == "<Cards <Outlets 0 ready>>"
    runtime = MicroVmRuntime(store, options, ProcessOptions(), tmp_path, ManualClock())
    assert repr(runtime).startswith("<MicroVmRuntime 0 machines, 0 templates, <Machines ")
    assert repr(runtime._restoring).startswith("<Restoring from <Machines nothing made")
