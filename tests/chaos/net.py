"""Machines as network namespaces on a bridge in a namespace of its own, which can be cut off, both ways or one way."""

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

CLONE_NEWNET = 0x40000000
ADDRESS = "10.99.0.{}"
TABLE = "table bridge cuts {\n chain forwarded {\n type filter hook forward priority 0;\n }\n}\n"
CUTS = {"cut": ("iifname", "oifname"), "mute": ("iifname",), "deaf": ("oifname",)}  # mute: nothing comes from it


class Net:
    def __init__(self) -> None:
        self._mark = f"chaos{os.getpid()}"
        self._machines: dict[str, int] = {}
        self._switch = f"{self._mark}-switch"
        _run("ip", "netns", "add", self._switch)
        self._in_switch("ip", "link", "add", "bridge", "type", "bridge")
        self._in_switch("ip", "link", "set", "bridge", "up")
        self._in_switch("nft", "-f", "-", said=TABLE)

    def __repr__(self) -> str:
        return f"<Net {len(self._machines)} machines>"

    def add(self, machine: str) -> str:
        """Its address."""
        number = len(self._machines) + 1
        self._machines[machine] = number
        name, port = self.namespace(machine), f"p{number}"
        _run("ip", "netns", "add", name)
        self._in_switch("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        self._in_switch("ip", "link", "set", port, "master", "bridge", "up")
        for words in (
            ("addr", "add", f"{ADDRESS.format(number)}/24", "dev", "eth0"), ("link", "set", "eth0", "up"),
            ("link", "set", "lo", "up"),
        ):  # fmt: skip
            _run("nsenter", f"--net=/run/netns/{name}", "ip", *words)
        return ADDRESS.format(number)

    def namespace(self, machine: str) -> str:
        return f"{self._mark}-{machine}"

    def inside(self, machine: str) -> list[str]:
        """Words before a command that is to run there. `ip netns exec` would hide the cgroups."""
        return ["nsenter", f"--net=/run/netns/{self.namespace(machine)}"]

    def enter(self, machine: str) -> None:
        """This thread, and those that it begins, from now on."""
        with open(f"/run/netns/{self.namespace(machine)}") as file:
            if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {machine}")

    def cut(self, machine: str, how: str) -> None:
        for direction in CUTS[how]:
            port = f'"p{self._machines[machine]}"'
            self._in_switch("nft", "add", "rule", "bridge", "cuts", "forwarded", direction, port, "drop")

    def heal(self) -> None:
        self._in_switch("nft", "flush", "chain", "bridge", "cuts", "forwarded")

    def close(self) -> None:
        for name in (*map(self.namespace, self._machines), self._switch):
            with contextlib.suppress(subprocess.CalledProcessError):
                _run("ip", "netns", "del", name)

    def _in_switch(self, *words: str, said: str = "") -> None:
        _run("nsenter", f"--net=/run/netns/{self._switch}", *words, said=said)


@contextlib.contextmanager
def net() -> Iterator[Net]:
    made = Net()
    try:
        yield made
    finally:
        made.close()


def _run(*words: str, said: str = "") -> None:
    subprocess.run(words, input=said, text=True, check=True, capture_output=True)
