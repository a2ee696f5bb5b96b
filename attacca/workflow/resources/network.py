"""What resources that speak to servers have in common: addresses that may be reached, libraries, and patience."""

import asyncio
import importlib
import socket
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from attacca.errors import BadConfig, RuntimeMissing, Unreachable
from attacca.workflow.resources.reach import Reach
from attacca.workflow.resources.types import Host

T = TypeVar("T")
FIRST_S, LONGEST_S = 0.1, 2.0  # pauses between two tries


def parsed(url: str, schemes: tuple[str, ...], of: str) -> SplitResult:
    """
    Raises:
        BadConfig: it is no address of these schemes.
    """
    try:
        found = urlsplit(url)
        is_one = found.scheme in schemes and bool(found.hostname) and (found.port is None or found.port > 0)
    except ValueError:
        is_one = False
    if not is_one:
        raise BadConfig(f"the url of a {of} is none of {', '.join(schemes)}", f'write url = "{schemes[0]}://HOST:PORT"')
    return found


async def addresses(host: str, port: int, reach: Reach) -> list[str]:
    """Of a host, those that may be spoken to.

    Raises:
        Forbidden: none of them may.
        Unreachable: it has none.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host!r} is not found: {error}", "see whether its name is right") from None
    return reach.expect(host, list(dict.fromkeys(str(one[4][0]) for one in found)))


def library(name: str, of: str, extra: str) -> ModuleType:
    """
    Raises:
        RuntimeMissing: it is not installed on this node.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        hint = f"pip install 'attacca[{extra}]' on the node"
        raise RuntimeMissing(f"a {of} needs the library {name}, which is not installed", hint) from None


async def persist(attempt: Callable[[], Awaitable[T]], host: Host) -> T:
    """Try again while what answers is not reached.

    Raises:
        Unreachable: the last time, when the patience is over.
    """
    until, pause = host.now() + host.patience_s, FIRST_S
    while True:
        try:
            return await attempt()
        except Unreachable:
            if host.now() + pause > until:
                raise
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_S)
