"""The worker's end of its gate: what `Ground` does here is done there."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacca.worker.host.nat.gate import programs
from attacca.worker.host.nat.ground import Bucket
from attacca.worker.host.nftables import Refused

MAIN = Path(__file__).parent / "main.py"
PACKAGE_ROOT = Path(__file__).parents[5]
PYTHON = os.path.realpath(sys.executable)
LARGEST = 64 * 1024  # bytes of an answer
FDS_MOST = 2
WAIT_S = 20.0


def _started(what: str, *descriptors: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [PYTHON, "-I", "-S", "-X", "utf8", str(MAIN), str(PACKAGE_ROOT), what, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},
        start_new_session=True,  # Ctrl-C in the terminal is for the server
    )


def made_realm() -> int:
    """A descriptor of a user namespace in which we are who we are. Blocking, for the start of a process.

    Raises:
        OSError: the kernel makes none.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            process = _started("realm", theirs.fileno())
        ours.settimeout(WAIT_S)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_CMSG_CLOEXEC)
        process.wait(WAIT_S)
    if not descriptors:
        raise OSError("no user namespace could be made")
    return descriptors[0]


class Gate:
    """Implements `nat.ground.Works`. Each call is answered before it returns.

    Raises:
        OSError: there is none, and why.
    """

    def __init__(self, realm: int, program: tuple[str, str]) -> None:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.settimeout(WAIT_S)
        lifeline, self._lifeline = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = _started("gate", theirs.fileno(), lifeline, realm)
        finally:
            theirs.close()
            os.close(lifeline)
        try:
            setting = {"command": programs.command(*program), "gate": programs.GATE}
            self._orders.send(json.dumps(setting).encode())
            self._ask("begin", programs.TAP)
        except OSError as error:
            self.close()
            raise OSError(f"{program[0]}: {error.strerror or error}") from None

    def __repr__(self) -> str:
        return f"<Gate of process {self._process.pid}>"

    def close(self) -> None:
        """When this returns, it is gone, with all cables that led to it."""
        self._orders.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(WAIT_S)

    def tell(self, commands: Sequence[dict[str, Any]]) -> None:
        self._ask("tell", list(commands))

    def wire(
        self, link: str, address: str, door: tuple[str, int], namespace: int, *, is_guests: bool
    ) -> tuple[int, list[socket.socket]]:
        return self._ask("wire", link, address, door, is_guests, descriptor=namespace)

    def bound(self, index: int, bucket: Bucket, namespace: int) -> None:
        self._ask("bound", index, bucket, descriptor=namespace)

    def listen(self, group: int) -> socket.socket:
        return self._ask("listen", group)[1][0]

    def take_away(self, links: str) -> None:
        """They go with it."""

    def _ask(self, do: str, *words: object, descriptor: int = -1) -> tuple[Any, list[socket.socket]]:
        given = [descriptor] if descriptor >= 0 else []
        socket.send_fds(self._orders, [json.dumps({"do": do, "words": words}).encode()], given)
        raw, found, _, _ = socket.recv_fds(self._orders, LARGEST, FDS_MOST, socket.MSG_CMSG_CLOEXEC)
        sockets = [socket.socket(fileno=one) for one in found]
        if not raw:
            raise ConnectionError("the gate is gone")
        answer: dict[str, Any] = json.loads(raw)
        if "failed" not in answer:
            return answer["said"], sockets
        if answer["number"] == 0 and do == "tell":
            raise Refused(answer["failed"])
        raise OSError(answer["number"], answer["failed"])
