"""Started by an ordinary user's worker with a bare interpreter, for what only somebody may do who has rights in a user
namespace.

    python -I -S main.py PACKAGE_ROOT realm ANSWERS
    python -I -S main.py PACKAGE_ROOT gate ORDERS LIFELINE REALM

A *realm* is a user namespace with nobody but that user in it, sent back as a descriptor: the worker's sandboxes are
born below it, so that who has rights in it may lay cables into their networks. A *gate* is a process in it, with a
network of its own: what `Ground` does as root on a machine it does there, as ORDERS say. Who has brought it up stays in
the machine's network, with the program that carries packets between both, and ends both when LIFELINE closes.

    {"do": NAME, "words": [...]} with descriptors ──▶ {"said": ...} with descriptors | {"failed": TEXT, "number": ERRNO}
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.worker.host.nat.ground import Ground
from attacca.worker.host.nftables import Refused

LARGEST = 192 * 1024  # bytes of an order
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LOOKS, LOOK_S, AGAIN_S = 2000, 0.005, 0.2
LAST = 400  # bytes of what a program says at its end
_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def make_realm(answers: socket.socket) -> None:
    user, group = os.geteuid(), os.getegid()
    _checked(_libc.unshare(CLONE_NEWUSER), "unshare")
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    descriptor = os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    socket.send_fds(answers, [b"!"], [descriptor])


class Porter:
    """Obeys one order after the other."""

    def __init__(self, orders: socket.socket, told: int) -> None:
        """By `told` comes when the program beside it has begun (+PID), and when it has ended (-WHY)."""
        self._orders, self._told = orders, told
        self._ground = Ground()
        self._program, self._why = -1, ""

    def __repr__(self) -> str:
        return f"<Porter {self._ground}>"

    def close(self) -> None:
        self._ground.close()

    def live(self) -> None:
        while True:
            orders = self._orders.fileno()
            ready = select.select([orders, self._told], [], [])[0]
            if self._told in ready:
                self._hear()
            if orders not in ready:
                continue
            raw, descriptors, _, _ = socket.recv_fds(self._orders, LARGEST, 1, socket.MSG_CMSG_CLOEXEC)
            if not raw:
                return
            order: dict[str, Any] = json.loads(raw)
            opened: list[socket.socket] = []
            try:
                said, opened = self._do(order["do"], order["words"], *descriptors)
                answer: dict[str, Any] = {"said": said}
            except Refused as error:
                answer = {"failed": str(error), "number": 0}
            except OSError as error:
                answer = {"failed": error.strerror or str(error), "number": error.errno or 0}
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)
            socket.send_fds(self._orders, [json.dumps(answer).encode()], [one.fileno() for one in opened])
            for one in opened:
                one.close()

    def _do(self, name: str, words: list[Any], *descriptors: int) -> tuple[Any, list[socket.socket]]:
        """
        Raises:
            OSError, Refused: it cannot be done.
        """
        match name:
            case "begin":
                self._begin(*words)
            case "tell":
                self._ground.tell(words[0])
            case "wire":
                link, address, door, is_guests = words
                index, doors = self._ground.wire(link, address, (door[0], door[1]), *descriptors, is_guests=is_guests)
                return index, doors
            case "bound":
                index, (rate, burst, queue) = words
                self._ground.bound(index, (rate, burst, queue), *descriptors)
            case "listen":
                return None, [self._ground.listen(*words)]
            case _:
                raise OSError(f"there is no {name}")
        return None, []

    def _begin(self, tap: str) -> None:
        """Packets are passed on, and there is somebody to pass them on to."""
        with open("/proc/sys/net/ipv4/ip_forward", "w") as file:
            file.write("1")
        for _ in range(LOOKS):
            if has_default(tap):
                return
            if select.select([self._told], [], [], LOOK_S)[0]:
                self._hear()
            if self._why:
                raise OSError(self._why)
        raise OSError("it lays no cable")

    def _hear(self) -> None:
        """Where nobody is left who would end the program, we do, and ourselves."""
        data = os.read(self._told, 4096)
        for line in data.decode("utf-8", "replace").splitlines():
            if self._program >= 0:
                os.close(self._program)
                self._program = -1
            if line.startswith("+"):
                with contextlib.suppress(ProcessLookupError):
                    self._program = os.pidfd_open(int(line[1:]))
            else:
                self._why = line[1:]
        if not data:
            if self._program >= 0:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._program, signal.SIGKILL)
            sys.exit(0)


def has_default(link: str) -> bool:
    """Does everything that is elsewhere go by that link?"""
    with open("/proc/thread-self/net/route") as file:
        return any(line.split()[:2] == [link, "00000000"] for line in file)


def keep(orders: socket.socket, lifeline: int, realm: int) -> None:
    setting = json.loads(orders.recv(LARGEST))
    told, tell = os.pipe2(os.O_CLOEXEC)
    begun, begin = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        os.close(lifeline)
        os.close(tell)
        try:
            _checked(_libc.setns(realm, CLONE_NEWUSER), "setns")
            _checked(_libc.unshare(CLONE_NEWNET), "unshare")
            porter = Porter(orders, told)
            os.write(begin, b"!")
            porter.live()
        finally:
            os._exit(0)
    orders.close()
    os.close(begin)
    os.close(told)
    if os.read(begun, 1):
        carry([word.replace(setting["gate"], str(pid)) for word in setting["command"]], pid, lifeline, tell)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def carry(command: list[str], pid: int, lifeline: int, tell: int) -> None:
    """Have the program run, again where it ends, until the worker or the gate has."""
    poller = select.poll()
    for descriptor in (lifeline, os.pidfd_open(pid)):
        poller.register(descriptor, select.POLLIN | select.POLLHUP)
    while True:
        said, heard = os.pipe2(os.O_CLOEXEC)
        program = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=heard)
        os.close(heard)
        with contextlib.suppress(BrokenPipeError):  # the gate has ended since: so the program does, below
            os.write(tell, b"+%d\n" % program.pid)
        end = os.pidfd_open(program.pid)
        poller.register(end, select.POLLIN)
        ready = [descriptor for descriptor, _ in poller.poll()]
        poller.unregister(end)
        os.close(end)
        if ready != [end]:
            program.kill()
            program.wait()
            return
        program.wait()
        os.set_blocking(said, False)
        last = b""
        with contextlib.suppress(BlockingIOError):
            last = b" ".join(os.read(said, 1 << 16).split())[-LAST:]
        with contextlib.suppress(BrokenPipeError):
            os.write(tell, b"-" + (last or b"it ended, and does not say why") + b"\n")
        os.close(said)
        if poller.poll(AGAIN_S * 1000):
            return


def main() -> None:
    _, package_root, what, *numbers = sys.argv
    sys.path.remove(package_root)
    first = socket.socket(fileno=int(numbers[0]))
    if what == "realm":
        make_realm(first)
    else:
        keep(first, int(numbers[1]), int(numbers[2]))


if __name__ == "__main__":
    main()
