"""What pods print, as the API server passes it on."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast

from attacca.worker.runtime.container.output import PER_S
from attacca.worker.runtime.kubernetes import facts
from attacca.worker.runtime.kubernetes.api import Declined, Server, pause_s
from attacca.worker.runtime.kubernetes.sandbox import PodSandbox

LOG = logging.getLogger("attacca.kubernetes")
LAST_S = 2.0  # for what one that has ended has printed
LAST_BYTES = "4096"
QUIET_S = 86_400.0
FORBIDDEN, NOT_FOUND = 403, 404
CONTAINER = {"container": facts.NAME}


async def follow(server: Server, pods: str, sandbox: PodSandbox, nap: Callable[[float], Awaitable[None]]) -> None:
    """Until it ends. A flood is slowed down by not reading. Where the way breaks, what is printed until there is one is
    lost. `pods`: the path of all of them."""
    query, tries = {**CONTAINER, "follow": "true"}, 0
    while True:
        try:
            await _pour(server, f"{pods}/{sandbox.pod}/log", sandbox, query, nap)
        except Declined as error:
            if error.status in (FORBIDDEN, NOT_FOUND):
                LOG.warning("what %s prints is not heard: %s", sandbox.pod, error.message)
                return
            if sandbox.last_words:
                query["tailLines"] = "0"  # else it would say all of it anew
            tries += 1
            await nap(pause_s(tries, error.retry_after_s))
        else:
            return


async def _pour(
    server: Server, path: str, sandbox: PodSandbox, query: dict[str, str], nap: Callable[[float], Awaitable[None]]
) -> None:
    loop = asyncio.get_running_loop()
    pieces = server.stream(path, quiet_s=QUIET_S, **query)
    async with contextlib.aclosing(cast(AsyncGenerator[bytes, None], pieces)):
        since, quota = loop.time(), 0
        async for piece in pieces:
            sandbox.printed(piece)
            now = loop.time()
            since, quota = (now, 0) if now - since >= 1.0 else (since, quota + len(piece))
            if quota > PER_S:
                await nap(1.0)


async def finish(server: Server, pods: str, sandbox: PodSandbox) -> None:
    """All that one has printed that has ended."""
    if sandbox.logging is not None:
        await asyncio.wait([sandbox.logging], timeout=LAST_S)
        sandbox.logging.cancel()
    if not sandbox.is_ready and not sandbox.last_words:
        with contextlib.suppress(Declined, TimeoutError):
            async with asyncio.timeout(LAST_S):
                path = f"{pods}/{sandbox.pod}/log"
                sandbox.printed(await server.ask("GET", path, limitBytes=LAST_BYTES, **CONTAINER))
