"""Whoever can run machines, for all of them: makes each with a monitor of its own."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from attacca.worker.runtime.microvm.vm import Vm


class Hypervisor(Protocol):
    def key(self) -> str:
        """Of what a saved machine depends on, besides what it was made from."""

    def vm(self, name: str, loop: asyncio.AbstractEventLoop, printed: Callable[[bytes], None]) -> Vm: ...
