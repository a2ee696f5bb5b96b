"""The first process of a micro-VM: it makes a place for the function, forks the agent there, and waits for its end.

python -I -S attacca/worker/runtime/microvm/inside/init.py [vsock]
"""

import json
import os
import select
import sys
import time

if __name__ == "__main__":
    sys.path[0] = os.path.abspath(__file__).rsplit("/", 6)[0]

from attacca.guest import channel as wire
from attacca.worker.host.tap import GuestCard
from attacca.worker.runtime.microvm.inside import function, kernel, words
from attacca.worker.runtime.microvm.inside.ports import Control, Ports, SerialPorts, VsockPorts, listen
from attacca.worker.runtime.microvm.inside.words import End, VmSpec, Wake
from attacca.worker.runtime.process.zygote import linux, rootfs, script


def main() -> None:
    del sys.path[0]
    ports: Ports = VsockPorts(listen) if words.VSOCK in sys.argv else SerialPorts()
    control = Control(ports)
    control.write(wire.HALL)
    spec: VmSpec = json.loads(control.read())
    agent, out = ports.open(words.AGENT), ports.open(words.OUTPUT)
    began = time.monotonic()
    card = GuestCard(words.CARD)
    _settle(spec, card)
    code_ms = (time.monotonic() - began) * 1e3
    heard, told = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        control.close()
        card.close()
        function.live(spec, ports, (agent, out), (told[0], heard[1]), code_ms)
    for one in (agent, out, heard[1], told[0]):
        os.close(one)
    try:
        _mind(control, pid, wire.Channel(heard[0], told[1]), card)
    except wire.Closed:
        kernel.power_off()
    control.write(wire.ENDED, json.dumps(_end(pid)).encode())
    kernel.power_off()


def _settle(spec: VmSpec, card: GuestCard) -> None:
    kernel.mount_system(spec["space_mb"])
    _renew(spec["wake"], card)
    kernel.mount_disk(words.CODE, rootfs.HERE)
    if spec["bundle"] is not None:
        kernel.mount_disk(words.BUNDLE, rootfs.BUNDLE)
    if spec["secrets"]:
        linux.mount("tmpfs", rootfs.SECRETS, "tmpfs", kernel.FLAGS | linux.MS_NOEXEC, "size=4m,mode=755")
        for name, value in spec["secrets"].items():
            with open(os.open(f"{rootfs.SECRETS}/{name}", os.O_WRONLY | os.O_CREAT, 0o444), "wb") as file:
                file.write(value.encode("latin-1"))
    linux.set_host_name(spec["function"])
    linux.raise_loopback()
    kernel.bound(spec["memory_mb"], spec["processes"])
    script.be_ordinary()
    script.clear_environment()


def _mind(control: Control, pid: int, child: wire.Channel, card: GuestCard) -> None:
    """Pass on what its import came to, and, when it is to begin, tell it so; then wait until it is gone."""
    child_end = os.pidfd_open(pid)
    try:
        kind, _, payload = child.read()
    except wire.Closed:
        return
    control.write(kind, payload)
    if kind == wire.READY and _is_awaited(control.reader, child_end):
        wake: Wake = json.loads(control.read())
        _renew(wake, card)
        child.write(wire.GO, 0, b"\1" if wake["is_first"] else b"")
    while _is_awaited(control.reader, child_end):  # RESUME
        _renew(json.loads(control.read()), card)
        control.write(wire.HALL)


def _renew(wake: Wake, card: GuestCard) -> None:
    if wake["address"]:
        card.become(wake["address"])
    time.clock_settime(time.CLOCK_REALTIME, wake["wall_s"])
    kernel.reseed(bytes.fromhex(wake["seed"]))


def _is_awaited(control: int, child_end: int) -> bool:
    """Whether the worker says something before the child ends."""
    ready, _, _ = select.select([control, child_end], [], [])
    return child_end not in ready


def _end(pid: int) -> End:
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return {"status": status, "was_oom": kernel.has_run_out()}


if __name__ == "__main__":
    main()
