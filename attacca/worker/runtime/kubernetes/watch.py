"""One list and one watch of all pods of a worker: what becomes of each is heard as it happens, and nobody polls."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import cast

import msgspec

from attacca.worker.runtime.kubernetes.api import ApiStatus, Declined, Server, lines, pause_s
from attacca.worker.runtime.kubernetes.facts import Metadata, Pod, PodList

LOG = logging.getLogger("attacca.kubernetes")
WATCH_S = 300  # after which the server ends it, and we begin another where it ended
QUIET_S = WATCH_S + 30.0  # without a word, a bookmark too: it was lost
PAGE = "500"
EXPIRED = 410  # what has happened since is not known any more

_list = msgspec.json.Decoder(PodList).decode
_pod = msgspec.json.Decoder(Pod).decode


class Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class Marked(msgspec.Struct, frozen=True):
    metadata: Metadata


_event = msgspec.json.Decoder(Event).decode


class Pods:
    """`hear` is told of a pod that is new or has changed, `gone` the name of one that was deleted. `nap` waits so many
    seconds."""

    def __init__(
        self,
        server: Server,
        path: str,
        selector: str,
        hear: Callable[[Pod], None],
        gone: Callable[[str], None],
        nap: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server, self._path, self._selector = server, path, selector
        self._hear, self._gone, self._nap = hear, gone, nap
        self._known: set[str] = set()
        self._version = ""  # up to which everything was heard; empty: list anew
        self._news = 0  # of the watch that was tried last

    def __repr__(self) -> str:
        return f"<Pods {len(self._known)} known, version {self._version or 'none'}>"

    async def follow(self) -> None:
        """Until it is cancelled."""
        tries = 0
        while True:
            self._news = 0
            try:
                if not self._version:
                    await self._list_all()
                await self._watch()
                why, retry_after_s = "", 0.0  # it has lasted its time
            except Declined as error:
                why, retry_after_s = error.message, error.retry_after_s
                if error.status:
                    self._version = ""
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                why, retry_after_s = f"what is watched is no event: {str(error)[:100]}", 0.0
                self._version = ""
            tries = 0 if self._news else tries + 1
            if why and tries == 1:
                LOG.warning("pods are not watched just now: %s", why)
            if why or tries:
                await self._nap(pause_s(tries, retry_after_s))

    async def _list_all(self) -> None:
        """What was there, and is not, is gone."""
        found: set[str] = set()
        more, version = "", ""
        while True:
            query = {"labelSelector": self._selector, "limit": PAGE} | ({"continue": more} if more else {})
            page = _list(await self._server.ask("GET", self._path, **query))
            for pod in page.items:
                found.add(pod.metadata.name)
                self._hear(pod)
            version = version or page.metadata.resource_version
            more = page.metadata.continue_
            if not more:
                break
        for name in sorted(self._known - found):
            self._gone(name)
        self._known, self._version = found, version

    async def _watch(self) -> None:
        pieces = self._server.stream(
            self._path,
            quiet_s=QUIET_S,
            watch="1",
            allowWatchBookmarks="true",
            labelSelector=self._selector,
            resourceVersion=self._version,
            timeoutSeconds=str(WATCH_S),
        )
        async with contextlib.aclosing(cast(AsyncGenerator[bytes, None], pieces)):
            async for line in lines(pieces):
                self._take(_event(line))
                self._news += 1

    def _take(self, event: Event) -> None:
        match event.type:
            case "ADDED" | "MODIFIED":
                pod = _pod(event.object)
                self._known.add(pod.metadata.name)
                self._version = pod.metadata.resource_version
                self._hear(pod)
            case "DELETED":
                pod = _pod(event.object)
                self._known.discard(pod.metadata.name)
                self._version = pod.metadata.resource_version
                self._gone(pod.metadata.name)
            case "BOOKMARK":
                self._version = msgspec.json.decode(event.object, type=Marked).metadata.resource_version
            case _:
                told = msgspec.json.decode(event.object, type=ApiStatus)
                raise Declined(f"the watch of pods ended: {told.message[:200]}", told.code or EXPIRED, told.reason)
