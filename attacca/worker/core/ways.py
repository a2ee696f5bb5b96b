"""The ways to workers that are reached through control: those of other domains, through portals that may lose what is
on its way, and those that speak another language.

    Passed, Done, Bounced ──▶ Carried(session, number) ──▶ two portals ──▶ in order and without a gap, or not at all
                                  ▲                                          │
    all that is not done again ◀──┴── Reached: a link on the way is new ◀────┴── Torn: there is a gap

So whoever is at the other end hears what each sender says in its order, as on a link; what it has heard twice it knows.
"""

import msgspec

from attacca.model.events import BRIDGED, Bounced, Carried, Done, Event, Passed, Torn

FAR = "/"  # in the name of a worker of another domain, between both


def is_far(worker: str) -> bool:
    return FAR in worker or BRIDGED in worker


class Session:
    """What has come from one process of one worker."""

    __slots__ = ("id", "is_torn", "next", "process")

    def __init__(self) -> None:
        self.process, self.id, self.next = b"", 0, 1
        self.is_torn = False

    def __repr__(self) -> str:
        return f"<Session {self.id}: {self.next - 1} heard{', torn' * self.is_torn}>"


class Ways:
    """`process`: of this worker."""

    def __init__(self, worker: str, process: bytes) -> None:
        self._worker, self._process = worker, process
        self._out: dict[str, tuple[int, int]] = {}  # by worker: the session, and the last number in it
        self._into: dict[str, Session] = {}

    def __repr__(self) -> str:
        return f"<Ways to {len(self._out)}, from {len(self._into)}>"

    def carry(self, to: str, message: Passed | Done | Bounced) -> Carried:
        session, number = self._out.get(to, (1, 0))
        self._out[to] = session, number + 1
        return Carried(self._worker, to, self._process, session, number + 1, message)

    def anew(self, to: str) -> bool:
        """Another session begins. False: nothing was ever said."""
        known = self._out.get(to)
        if known is not None:
            self._out[to] = known[0] + 1, 0
        return known is not None

    def hear(self, told: Carried) -> Passed | Done | Bounced | Torn | None:
        """What is to be heard, or answered; None: neither."""
        session = self._into.setdefault(told.source, Session())
        if told.process == session.process and told.session < session.id:
            return None
        if told.process != session.process or told.session > session.id:
            session.process, session.id, session.next, session.is_torn = told.process, told.session, 1, False
        if told.number != session.next:
            if session.is_torn:
                return None
            session.is_torn = True
            return Torn(self._worker, told.source)
        session.next += 1
        message = told.message
        if isinstance(message, Passed) and isinstance(message.message, Event):
            event = message.message  # a domain speaks for its own workers
            source = f"{event.source.partition('@')[0]}@{told.source}"
            return msgspec.structs.replace(message, message=msgspec.structs.replace(event, source=source))
        return message
