"""The worker's side of one template: the code of a revision, imported and waiting to be forked."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

from attacca.model.function import Revision, Signature
from attacca.worker.core.reports import Logged, Sink, TemplateFailed, TemplateReady
from attacca.worker.runtime.process.body import Body
from attacca.worker.runtime.process.cradle import Cradle
from attacca.worker.runtime.process.hatchery import Births, Hatchery
from attacca.worker.runtime.process.untrusted import NONSENSE, milliseconds


class Template:
    """From the order to its end. `sink` hears of everything but its end, which `Body` knows.

    `hear` gets what it says about the sandboxes forked from it; `gone` is called when it can fork no more.
    """

    def __init__(
        self,
        name: str,
        revision: Revision,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        cradle: Cradle,
        sink: Sink,
        hear: Births,
        gone: Callable[[Hatchery], None],
    ) -> None:
        self.name, self.revision, self._sink, self._births = name, revision, sink, hear
        self.body: Body
        self.is_ready = False
        self.failure: TemplateFailed | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.hatchery = Hatchery(loop, sock, cradle, self._hear, lambda: gone(self.hatchery))

    def go(self) -> None:
        if self.hatchery.is_open:
            self.hatchery.order({"go": True})

    def close(self) -> None:
        self.hatchery.close()
        if self.timer is not None:
            self.timer.cancel()

    def time_out(self, message: str) -> None:
        self.failure = TemplateFailed(self.name, "timeout", message)

    def printed(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        self._sink(Logged(self.revision.function, self.revision.id, self.name, "", "stdout", text))

    def _hear(self, message: dict[str, Any], pidfd: int) -> None:
        """Its import, a user's code, can reach the socket and say whatever it likes."""
        try:
            self._understand(message, pidfd)
        except NONSENSE as error:
            self.body.kill(f"it said what no template of ours says ({type(error).__name__}), and was killed")

    def _understand(self, message: dict[str, Any], pidfd: int) -> None:
        if "ready" in message:
            self._ready(message["ready"])
        elif "failed" in message:
            told: dict[str, Any] = message["failed"]
            why = f"{told['message']} ({told['hint']})" if told["hint"] else str(told["message"])
            if told["code"] == "out_of_memory":
                why = f"importing the code went over its memory of {self.revision.settings.memory_mb} MB"
            code, traceback, logs = str(told["code"]), str(told["traceback"]), str(told["logs"])
            self.failure = TemplateFailed(self.name, code, why, traceback, logs)
        else:
            self._births(self.hatchery, message, pidfd)

    def _ready(self, told: dict[str, Any]) -> None:
        if self.is_ready:
            raise ValueError("ready once more")
        threads = int(told["threads"])
        report = TemplateReady(
            template=self.name,
            handler=str(told["handler"]),
            signature=Signature(told["signature"]),
            memory_mb=int(told["memory_kb"]) // 1024 + 1,
            sandbox_ms=milliseconds(told["sandbox_ms"]),
            code_ms=milliseconds(told["code_ms"]),
            imports_ms=milliseconds(told["imports_ms"]),
            logs=str(told["logs"]),
            unfit="" if threads == 1 else f"its import started {threads - 1} threads, which no fork would have",
        )
        if self.timer is not None:
            self.timer.cancel()
        self.is_ready = True
        self.hatchery.cradle.settle(self.body.pid)
        self._sink(report)
