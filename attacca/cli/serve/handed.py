"""A listening socket that whoever started us has made and keeps: what comes while nobody accepts waits in its queue."""

import os
import socket
from collections.abc import Mapping

import msgspec

from attacca.cli.serve.cluster import LISTEN_FD
from attacca.cli.serve.configuration import ServerConfig
from attacca.errors import BadConfig

FIRST_FD = 3  # sd_listen_fds(3)
HINT = "one ListenStream=HOST:PORT in the unit of the socket"


def handed(environ: Mapping[str, str]) -> socket.socket | None:
    """By systemd, to this process and not to one before it, or by `attacca up` to its gateways.

    Raises:
        BadConfig: there are several, or it is no socket that listens for TCP.
    """
    number = environ.get(LISTEN_FD)
    if number is None and environ.get("LISTEN_PID") == str(os.getpid()):
        if environ.get("LISTEN_FDS") != "1":
            raise BadConfig(f"{environ.get('LISTEN_FDS')} sockets were handed over, and one is listened on", HINT)
        number = str(FIRST_FD)
    if number is None:
        return None
    try:
        given = socket.socket(fileno=int(number))
    except (OSError, ValueError) as error:
        raise BadConfig(f"no socket was handed over as descriptor {number!r}: {error}", HINT) from None
    is_tcp = given.family in (socket.AF_INET, socket.AF_INET6) and given.type == socket.SOCK_STREAM
    if not is_tcp or not given.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        given.detach()
        raise BadConfig(f"descriptor {number} does not listen for TCP", HINT)
    given.set_inheritable(False)
    given.setblocking(False)  # noqa: FBT003 - the standard library's
    return given


def placed(config: ServerConfig, given: socket.socket | None) -> ServerConfig:
    """As it listens in truth: who may ask what depends on that."""
    if given is None:
        return config
    host, port = given.getsockname()[:2]
    return msgspec.structs.replace(config, gateway=msgspec.structs.replace(config.gateway, host=host, port=port))
