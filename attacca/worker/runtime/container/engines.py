"""Which engine starts containers: one that we run ourselves, or a daemon that runs already."""

import contextlib
import socket
from collections.abc import Callable

from attacca.worker.runtime.container.daemons.containerd import Containerd
from attacca.worker.runtime.container.daemons.docker import Docker
from attacca.worker.runtime.container.daemons.tending import Tending
from attacca.worker.runtime.container.engine import Engine, Word
from attacca.worker.runtime.container.keeping import Keeping, engine_of
from attacca.worker.runtime.container.options import ContainerOptions

LOOK_S = 1.0


def engine(options: ContainerOptions, hear: Callable[[Word], None], lost: Callable[[], None]) -> Engine:
    """`hear` is told what becomes of containers; `lost`, that all of them are gone with their keeper.

    Raises:
        IsolationMissing: it is not here.
    """
    match options.engine:
        case "containerd":
            return Tending(Containerd(options.containerd), hear)
        case "docker":
            return Tending(Docker(options.docker), hear)
        case _:
            return Keeping(engine_of(options.engine), hear, lost)


def daemons(options: ContainerOptions) -> list[str]:
    """Of those that run already, each with where it takes connections. Blocking, for a moment."""
    found = []
    for name, path in (("containerd", options.containerd), ("docker", options.docker)):
        with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
            sock.settimeout(LOOK_S)
            sock.connect(path)
            found.append(f"{name} at {path}")
    return found
