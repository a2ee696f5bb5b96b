"""Whoever listens where a portal is dialed, and is not that portal: it knows the key, and shows this or that."""

import asyncio
import threading
from pathlib import Path

from attacca.io.certificates import Certificates
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Listener
from attacca.io.wire.types import Hello
from attacca.model.federation import BetweenPortals


class Impostor:
    """`heard`: what it was sent, as the portal for which it was taken."""

    def __init__(self, hello: Hello, certs: Path) -> None:
        self.heard: list[BetweenPortals] = []
        self.address = ""
        self._hello, self._certs = hello, Certificates(certs)
        self._listens = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ends = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._listen(),), daemon=True)
        self._thread.start()
        self._listens.wait()

    def __repr__(self) -> str:
        return f"<Impostor {self.address} of {self._hello!r}: {len(self.heard)} heard>"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ends.set)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> None:
        peers: Peers[BetweenPortals] = Peers()
        peers.bind(lambda _: None, lambda _: self.heard.append, lambda _, __: None)
        listener = Listener(lambda: StreamLink(peers, self._hello, BetweenPortals, has_dialed=False))
        await listener.open("127.0.0.1", 0, self._certs.to_listen)
        self.address = f"127.0.0.1:{listener.port}"
        self._listens.set()
        await self._ends.wait()
        await listener.close("it ends")
