"""Streamed request bodies that came before their invocation had a sandbox; bounded, and the sender is told to pause."""

from collections.abc import Callable

from attacca.model.messages import Body, Flow, FromWorker
from attacca.worker.config import WorkerConfig


class Held:
    def __init__(self, config: WorkerConfig, to_gateway: Callable[[FromWorker], None]) -> None:
        self._pause_bytes = config.body_hold_kb * 1024
        self._most_bytes = config.body_hold_kb_max * 1024
        self._to_gateway = to_gateway
        self._bodies: dict[str, list[Body]] = {}
        self._bytes: dict[str, int] = {}

    def expect(self, invocation: str) -> None:
        self._bodies[invocation] = []
        self._bytes[invocation] = 0

    def keep(self, body: Body) -> bool:
        """False: it is too much. What nobody expects any more is let go."""
        bodies = self._bodies.get(body.id)
        if bodies is None:
            return True
        before = self._bytes[body.id]
        held = before + len(body.data)
        if held > self._most_bytes:
            return False
        bodies.append(body)
        self._bytes[body.id] = held
        if before < self._pause_bytes <= held and not body.last:
            self._to_gateway(Flow(body.id, paused=True))
        return True

    def release(self, invocation: str, give: Callable[[Body], None]) -> None:
        """Its sandbox takes them now, and paces the sender itself from here on."""
        held = self._bytes.get(invocation, 0)
        bodies = self.drop(invocation)
        for body in bodies:
            give(body)
        if held >= self._pause_bytes and not bodies[-1].last:
            self._to_gateway(Flow(invocation, paused=False))

    def drop(self, invocation: str) -> list[Body]:
        self._bytes.pop(invocation, None)
        return self._bodies.pop(invocation, [])
