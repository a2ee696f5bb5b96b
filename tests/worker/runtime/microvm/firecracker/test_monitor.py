import asyncio
from pathlib import Path

from attacca.worker.runtime.microvm.firecracker.monitor import Firecracker, apart
from attacca.worker.runtime.microvm.monitor import Left, SavedMachine
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.qemu_monitor import Qemu


def test_each_says_what_it_is(tmp_path: Path) -> None:
    options = MicroVmOptions()
    qemu, firecracker = Qemu(options, tmp_path), Firecracker(options, tmp_path)
    assert repr(qemu) == "<Qemu tcg>"
    assert repr(firecracker) == f"<Firecracker in {tmp_path}>"
    assert qemu.key() != firecracker.key()


def test_it_has_no_network_or_its_machines_and_with_a_jailer_somebody_who_ends_it() -> None:
    assert apart(None, is_jailed=False) == ("unshare", "--ipc", "--net", "--")
    assert apart(7, is_jailed=False) == ("nsenter", "--net=/proc/self/fd/7", "--", "unshare", "--ipc", "--")
    words = " ".join(apart(7, is_jailed=True))
    assert words.startswith("setpriv --pdeathsig KILL --no-new-privs -- nsenter --net=/proc/self/fd/7 -- ")
    assert words.endswith("unshare --ipc --pid --kill-child -- unshare --fork --")


def test_a_machine_that_never_began_leaves_nothing(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    vm = Firecracker(MicroVmOptions(), tmp_path).vm("m", loop, lambda _: None)
    over: list[str] = []
    vm.over = over.append
    assert repr(vm.monitor) == "<FirecrackerMonitor None, 0 orders>"
    vm.kill("it was evicted")
    vm.close()
    loop.close()
    assert over == ["it was evicted"]


def test_an_order_that_came_too_late_to_be_begun_is_forgotten(tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    vm = Firecracker(MicroVmOptions(), tmp_path).vm("m", loop, lambda _: None)
    vm.over = lambda _: None
    vm.monitor.stop()
    assert repr(vm.monitor) == "<FirecrackerMonitor None, 1 orders>"
    vm.kill("it was evicted")
    vm.close()
    loop.run_until_complete(asyncio.sleep(0))
    assert repr(vm.monitor) == "<FirecrackerMonitor None, 0 orders>"
    loop.close()


def test_what_a_machine_has_left_goes_when_nobody_needs_it_or_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "left"
    for kept in (False, True):
        place.mkdir()
        saved = SavedMachine(place / "memory", place / "state")
        with open(saved.memory, "wb") as memory, open(saved.state, "wb") as state:
            memory.write(b"x" * 5000)
            left = Left(memory, state, saved, (saved.memory, saved.state, place))
            assert left.size_mb == 1
            assert repr(left) == f"<Left {saved.memory}, open>"
            if kept:
                left.keep(SavedMachine(tmp_path / "m", tmp_path / "s"))
            left.close()
        assert repr(left) == f"<Left {saved.memory}, closed>"
        assert sorted(path.name for path in tmp_path.iterdir()) == (["m", "s"] if kept else [])
