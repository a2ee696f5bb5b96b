"""Streamed request bodies that came before their invocation had a sandbox; bounded, and the sender is told to pause."""

from collections.abc import Callable

from attacca.errors import Overloaded, PayloadTooLarge
from attacca.kernel.budget import Budget
from attacca.model.invocation import Failed
from attacca.model.messages import Body, Flow
from attacca.worker.config import WorkerConfig

MB = 1024 * 1024
PIECE_BYTES = 256  # what a piece takes beside its data


class Waits:
    """What one invocation has waiting for it."""

    __slots__ = ("bodies", "function", "peer", "size", "taken")

    def __init__(self, peer: str, function: str) -> None:
        self.peer = peer  # who sends it
        self.function = function
        self.bodies: list[Body] = []
        self.size = 0
        self.taken = 0  # of the budget

    def __repr__(self) -> str:
        return f"<Waits {len(self.bodies)} bodies of {self.function}, {self.size} bytes>"


class BodyBuffer:
    def __init__(self, config: WorkerConfig, send: Callable[[str, Flow], None]) -> None:
        self._pause_bytes = config.body_hold_kb * 1024
        self._most_kb = config.body_hold_kb_max
        self._budget = Budget(config.body_hold_mb * MB, config.body_hold_mb * MB // 2)
        self._send = send
        self._waits: dict[str, Waits] = {}

    def __repr__(self) -> str:
        return f"<BodyBuffer {len(self._waits)} invocations, {self._budget}>"

    def expect(self, peer: str, invocation: str, function: str) -> None:
        self._waits[invocation] = Waits(peer, function)

    def keep(self, body: Body) -> Failed | None:
        """Why it cannot be kept. What nobody expects any more is let go."""
        waits = self._waits.get(body.id)
        if waits is None:
            return None
        before = waits.size
        held = before + len(body.data)
        if held > self._most_kb * 1024:
            return Failed(
                PayloadTooLarge.code,
                f"more than {self._most_kb} kB came before a sandbox could take it",
                "send less, or wait for the first answer before sending on",
            )
        takes = len(body.data) + PIECE_BYTES
        if not self._budget.take(waits.function, takes):
            return Failed(
                Overloaded.code,
                f"too many requests of {waits.function!r} wait for a sandbox with their bodies",
                "send it again a little later; or raise worker.body_hold_mb",
            )
        waits.bodies.append(body)
        waits.size = held
        waits.taken += takes
        if before < self._pause_bytes <= held and not body.last:
            self._send(waits.peer, Flow(body.id, paused=True))
        return None

    def release(self, invocation: str, give: Callable[[Body], None]) -> None:
        """Its sandbox takes them now, and paces the sender itself from here on."""
        waits = self.drop(invocation)
        if waits is None:
            return
        for body in waits.bodies:
            give(body)
        if waits.size >= self._pause_bytes and not waits.bodies[-1].last:
            self._send(waits.peer, Flow(invocation, paused=False))

    def drop(self, invocation: str) -> Waits | None:
        waits = self._waits.pop(invocation, None)
        if waits is not None:
            self._budget.give(waits.function, waits.taken)
        return waits
