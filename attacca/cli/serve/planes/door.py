"""What planes apart have in common: their listener for people and programs, and who may have a link."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from pathlib import Path

from attacca.cli.serve.configuration import ServerConfig
from attacca.errors import AttaccaError, BadConfig, Conflict
from attacca.gateway.config import GatewayConfig
from attacca.io.certificates import Certificates
from attacca.io.wire.frames import Goodbye
from attacca.io.wire.peers import Peers
from attacca.io.wire.tcp import parsed
from attacca.io.wire.types import Hello

CONTROL = "control"  # its name on every link: whichever leads
ENDS = "the server ends"


class Once:
    """Admits one process of each name. The same one may come anew; another has to wait until nobody hears of it."""

    def __init__(self, peers: Peers[object], is_silent: Callable[[str], bool]) -> None:
        self._peers, self._is_silent = peers, is_silent

    def __repr__(self) -> str:
        return f"<Once {len(self._peers.hellos)} names>"

    def admit(self, hello: Hello) -> Goodbye | None:
        if hello.name == CONTROL:
            return Goodbye(f"only control is named {CONTROL!r}; take another --name")
        known = self._peers.hellos.get(hello.name)
        if known is None or (known.plane == hello.plane and known.instance == hello.instance):
            return None
        if known.plane == hello.plane and self._is_silent(hello.name):
            return None
        return Goodbye(f"there is a {known.plane} named {hello.name!r} already; take another --name, or end that one")


def keep(certs: Certificates | None, closing: contextlib.AsyncExitStack) -> None:
    """What changes of them is used, until the end."""
    if certs is not None:
        task = asyncio.get_running_loop().create_task(certs.keep())
        closing.callback(task.cancel)


def url_of(config: GatewayConfig, port: int) -> str:
    """Where it listens, as this machine reaches it."""
    host = config.host
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{port}"


def told_url(config: ServerConfig, port: int) -> str:
    """Where it listens, as others reach it."""
    host = config.cluster.advertise or config.gateway.host
    host = host.rpartition(":")[0] if parsed(host) is not None else host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host and not host.startswith("[") else f"http://{host}:{port}"


def probe(host: str, port: int, verb: str = "up") -> None:
    """Whether the port can be had, before anything is made that would have to be taken down again.

    Raises:
        Conflict: somebody else listens there.
        BadConfig: the address is not one of this machine, or the port is reserved.
    """
    if port == 0:
        return
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        raise cannot_listen(host, port, error, verb) from None


def cannot_listen(host: str, port: int, error: OSError, verb: str = "up") -> AttaccaError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"port {port} on {host} is in use",
            f"attacca list --url http://{host}:{port}, if it is attacca that listens; "
            f"or attacca {verb} --port {port + 1}",
        )
    if error.errno == errno.EACCES:
        return BadConfig(f"port {port} is reserved for root", f"attacca {verb} --port 8080")
    return BadConfig(f"{host} cannot be listened on: {error.strerror or error}", f"attacca {verb} --host 127.0.0.1")


def no_token(host: str, state_dir: Path) -> BadConfig:
    return BadConfig(
        f"{host} can be reached from other machines, and there is no API token: anybody could deploy code here",
        f"attacca token create --state-dir {state_dir}, then the same again; or listen on 127.0.0.1",
    )
