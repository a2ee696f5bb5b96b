"""A domain's portal: what its workers and those of other domains say to each other passes through here.

    worker ──▶ control of its domain ══ portal ════ portal ══ control of the other ──▶ worker
                                       one link between two domains

Nothing is kept here: what a worker has sent is with it until it is handled. Where a link is new, or a worker has come
anew, those that speak over it hear that what was on the way may be lost.
"""

from collections.abc import Callable

import msgspec

from attacca.model.events import Carried, Event, Faraway, NodeGone, Passed, Reached, Torn
from attacca.model.federation import BetweenPortals, FarWorkers
from attacca.model.messages import Send

GONE_MOST = 100
FENCED = "/fenced"  # whom that is for is nowhere: it goes back to an instance whose place another has


class WorkerCame(msgspec.Struct, frozen=True):
    worker: str


class WorkerLost(msgspec.Struct, frozen=True):
    worker: str


class PeerCame(msgspec.Struct, frozen=True):
    domain: str


class PeerLost(msgspec.Struct, frozen=True):
    domain: str


class Said(msgspec.Struct, frozen=True):
    """By one of our workers."""

    message: Carried | Torn


class Heard(msgspec.Struct, frozen=True):
    """From the portal of another domain."""

    domain: str
    message: FarWorkers | Carried | Torn


class Across(msgspec.Struct, frozen=True):
    """To the portal of that domain."""

    domain: str
    message: BetweenPortals


PortalEvent = WorkerCame | WorkerLost | PeerCame | PeerLost | Said | Heard
PortalCommand = Send[Faraway | NodeGone] | Across


class PortalCore:
    """`is_stale` says of an instance of another domain whether another has its place since."""

    def __init__(self, is_stale: Callable[[str], bool], process: str) -> None:
        """`process`: of this control, which no other has."""
        self._is_stale, self._process = is_stale, process
        self.workers: dict[str, None] = {}
        self.peers: dict[str, tuple[str, ...]] = {}  # by domain whose portal is there: its workers
        self._gone: dict[str, int] = {}  # workers that were given up, and how often
        self._known: dict[str, FarWorkers] = {}  # by domain: what it has said last
        self.refused = 0  # events of instances that are not the ones any more

    def __repr__(self) -> str:
        return f"<PortalCore {len(self.workers)} workers, {len(self.peers)} portals, {self.refused} events refused>"

    def handle(self, event: PortalEvent) -> list[PortalCommand]:
        out: list[PortalCommand] = []
        match event:
            case Said():
                domain, _, worker = event.message.to.partition("/")
                if domain in self.peers:
                    out.append(Across(domain, msgspec.structs.replace(event.message, to=worker)))
            case Heard():
                self._heard(event.domain, event.message, out)
            case WorkerCame():
                self._came(event.worker, out)
            case WorkerLost():
                self._lost(event.worker, out)
            case PeerCame():
                self.peers[event.domain] = ()
                out.append(Across(event.domain, self._told(tuple(self.workers))))
            case PeerLost():
                self.peers.pop(event.domain, None)
        return out

    def _came(self, worker: str, out: list[PortalCommand]) -> None:
        self.workers[worker] = None
        out.extend(Across(domain, self._told((worker,))) for domain in self.peers)
        for domain, far in self.peers.items():
            out.extend(Send(worker, Reached(f"{domain}/{name}")) for name in far)

    def _lost(self, worker: str, out: list[PortalCommand]) -> None:
        """The domain has given it up."""
        if worker in self.workers:
            del self.workers[worker]
            self._gone[worker] = self._gone.pop(worker, 0) + 1
            if len(self._gone) > GONE_MOST:
                del self._gone[next(iter(self._gone))]
            out.extend(Across(domain, self._told(())) for domain in self.peers)

    def _told(self, came: tuple[str, ...]) -> FarWorkers:
        return FarWorkers(tuple(self.workers), came, dict(self._gone), self._process)

    def _lost_since(self, domain: str, told: FarWorkers) -> list[str]:
        """Of a control that has begun anew it is not known whether those that are here were given up before."""
        known = self._known.get(domain)
        if known is None or known.process != told.process:
            return [name for name in told.gone if name not in told.here]
        return [name for name, times in told.gone.items() if times > known.gone.get(name, 0)]

    def _heard(self, domain: str, message: FarWorkers | Carried | Torn, out: list[PortalCommand]) -> None:
        if domain not in self.peers:
            return
        if isinstance(message, FarWorkers):
            self.peers[domain] = message.here
            gone = self._lost_since(domain, message)
            self._known[domain] = message
            for worker in self.workers:
                out.extend(Send(worker, NodeGone(f"{domain}/{name}")) for name in gone)
                out.extend(Send(worker, Reached(f"{domain}/{name}")) for name in message.came)
        elif message.to in self.workers:
            source = f"{domain}/{message.source}"
            if isinstance(message, Torn):
                out.append(Send(message.to, Torn(source, message.to)))
            else:
                out.append(Send(message.to, self._fenced(message, source)))

    def _fenced(self, told: Carried, source: str) -> Carried:
        message = told.message
        if isinstance(message, Passed) and isinstance(message.message, Event):
            event = message.message
            if self._is_stale(event.source.partition("@")[0]):
                self.refused += 1
                nowhere = Event(FENCED, event.source, b"", event.stream, event.output)
                message = Passed(message.number, message.floor, nowhere)
        return Carried(source, told.to, told.process, told.session, told.number, message)
