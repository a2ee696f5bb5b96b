"""How what is announced reaches planes apart: workers first, then gateways, and only then whoever asked for it.

    Announce ──▶ workers ──all know──▶ gateways ──all know──▶ Reply

Who is lost meanwhile, or does not say within a second that it knows, is not waited for: it asks for all of it when it
is back.
"""

from math import inf

from attacca.control.core.events import Announce, Command, Reply
from attacca.control.core.gateways import Gateways
from attacca.control.core.workers import Workers
from attacca.model.messages import Catalogue, Deleted, Deployed, Known, Send

KNOWS_S = 1.0


class Round:
    """One change on its way."""

    __slots__ = ("are_workers", "ends_at", "message", "reply", "waiting")

    def __init__(self, message: Deployed | Deleted, reply: Reply | None, ends_at: float) -> None:
        self.message = message
        self.reply = reply
        self.ends_at = ends_at
        self.are_workers = True  # gateways have not been told yet
        self.waiting: dict[str, None] = {}

    def __repr__(self) -> str:
        whom = "workers" if self.are_workers else "gateways"
        return f"<Round {self.message.generation}: {len(self.waiting)} {whom}>"


class Spread:
    """In the order in which they were announced."""

    def __init__(self, workers: Workers, gateways: Gateways) -> None:
        self._workers, self._gateways = workers, gateways
        self.rounds: list[Round] = []

    def __repr__(self) -> str:
        return f"<Spread {len(self.rounds)} on their way>"

    @property
    def next_at(self) -> float:
        return self.rounds[0].ends_at if self.rounds else inf

    def hold(self, now: float, request: str, out: list[Command]) -> None:
        """The reply to a request comes when what it has changed is known."""
        announced = [one.message for one in out if isinstance(one, Announce)]
        workers = [worker.name for worker in self._workers.heard() if worker.address]
        if not announced or not (workers or self._gateways.apart()):
            return
        [message] = announced
        assert not isinstance(message, Catalogue), "it is announced at the start, when nobody is there"
        reply = next((one for one in out if isinstance(one, Reply) and one.id == request), None)
        if reply is not None:
            out.remove(reply)
        one = Round(message, reply, now + KNOWS_S)
        one.waiting = dict.fromkeys(workers)
        self.rounds.append(one)
        out += [Send(worker, message) for worker in workers]
        self._move_on(now, out)

    def hear(self, now: float, known: Known, out: list[Command]) -> None:
        for one in self.rounds:
            if known.generation >= one.message.generation:
                one.waiting.pop(known.peer, None)
        self._move_on(now, out)

    def lose(self, now: float, peer: str, out: list[Command]) -> None:
        for one in self.rounds:
            one.waiting.pop(peer, None)
        self._move_on(now, out)

    def ring(self, now: float, out: list[Command]) -> None:
        for one in self.rounds:
            if one.ends_at <= now:
                one.waiting.clear()
        self._move_on(now, out)

    def _move_on(self, now: float, out: list[Command]) -> None:
        while self.rounds and not self.rounds[0].waiting:
            one = self.rounds[0]
            if one.are_workers:
                one.are_workers = False
                one.ends_at = now + KNOWS_S
                one.waiting = dict.fromkeys(self._gateways.apart())
                out += [Send(gateway, one.message) for gateway in one.waiting]
            else:
                del self.rounds[0]
                if one.reply is not None:
                    out.append(one.reply)
