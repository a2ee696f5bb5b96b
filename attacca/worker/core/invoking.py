"""Ordinary functions that instances of this worker call: each is asked of a gateway, one after the other in turn."""

from attacca.model.events import Event, FunctionCalled
from attacca.model.messages import Send
from attacca.worker.core.events import Command

CONTROL = "control"  # a peer like the others, and no gateway


class Invoking:
    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._gateways: list[str] = []
        self._turn = 0
        self.open: dict[str, str] = {}  # by stream of the call: the gateway that was asked

    def __repr__(self) -> str:
        return f"<Invoking {len(self.open)} calls open at {len(self._gateways)} gateways>"

    def join(self, peer: str) -> None:
        if peer != CONTROL and peer not in self._gateways:
            self._gateways.append(peer)

    def lose(self, peer: str) -> list[str]:
        """The streams of what it had been asked for."""
        if peer in self._gateways:
            self._gateways.remove(peer)
        return [stream for stream, gateway in self.open.items() if gateway == peer]

    def ask(self, function: str, call: Event, out: list[Command]) -> str:
        """Why it cannot be; empty: it is asked for."""
        if not call.stream:
            return "functions are called, and not cast to"
        if not self._gateways:
            return "this worker knows no gateway that would call a function"
        self._turn = (self._turn + 1) % len(self._gateways)
        gateway = self.open[call.stream] = self._gateways[self._turn]
        out.append(Send(gateway, FunctionCalled(self._worker, call.stream, function, call.data)))
        return ""
