"""What passes between workers: each event and reply is kept by its sender until the other side is done with it.

    send ──▶ Passed(number) ──▶ mailbox ──▶ handled ──▶ Done(number) ──▶ forgotten
                  │                │
                  │                └── no such instance ──▶ Bounced(number) ──▶ sent where it is now
                  └── a new link: what is not done is passed again, and known by its number if it came before

So a link that breaks loses and doubles nothing, and what a worker had not handled when it died is with its sender.
"""

from collections.abc import Iterable

from attacca.model.events import Bounced, Done, Event, Passed, Refused, Reply, place
from attacca.model.messages import Send
from attacca.worker.core.events import Command, Dial
from attacca.worker.core.ways import FAR

KEPT_MOST = 20_000  # for one neighbour that is not done with them
Settled = Done | Bounced | Refused
SLOW, QUICK = KEPT_MOST // 2, KEPT_MOST // 4  # from so many on senders wait, until there are so few


class Outbox:
    """Of what is passed to one worker."""

    __slots__ = ("kept", "number")

    def __init__(self) -> None:
        self.number = 0  # of the last
        self.kept: dict[int, Event | Reply] = {}  # by number, in order: what it is not done with

    def __repr__(self) -> str:
        return f"<Outbox {len(self.kept)} kept of {self.number}>"

    @property
    def floor(self) -> int:
        """All below are done."""
        return next(iter(self.kept), self.number + 1)


class Inbox:
    """Of what comes from one process of one worker."""

    __slots__ = ("done", "instance", "open")

    def __init__(self, instance: bytes) -> None:
        self.instance = instance
        self.open: set[int] = set()  # numbers that are in a mailbox, or being handled
        self.done: dict[int, Settled] = {}  # what its sender was told of those that are not, and may not have heard

    def __repr__(self) -> str:
        return f"<Inbox {len(self.open)} open, {len(self.done)} done>"

    def takes(self, number: int, floor: int) -> bool:
        """Is it new?"""
        for known in [known for known in self.done if known < floor]:
            del self.done[known]
        if number in self.open or number in self.done or number < floor:
            return False
        self.open.add(number)
        return True


class Neighbours:
    """By name: the workers that this one has something to do with."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}  # of those that are dialed
        self.out: dict[str, Outbox] = {}
        self.into: dict[str, Inbox] = {}
        self.slow: dict[str, None] = {}  # who sends to them is not listened to

    def __repr__(self) -> str:
        kept = sum(len(outbox.kept) for outbox in self.out.values())
        return f"<Neighbours {len(self.out)}, {kept} kept, {sum(len(one.open) for one in self.into.values())} open>"

    def learn(self, worker: str, address: str, out: list[Command]) -> None:
        if address and self.addresses.get(worker) != address:
            self.addresses[worker] = address
            out.append(Dial(worker, address))

    def send(self, worker: str, message: Event | Reply, out: list[Command]) -> bool:
        """False: it has too much to do already."""
        outbox = self.out.setdefault(worker, Outbox())
        if len(outbox.kept) >= KEPT_MOST:
            return False
        outbox.number += 1
        outbox.kept[outbox.number] = message
        out.append(Send(worker, Passed(outbox.number, outbox.floor, message)))
        return True

    def is_slow(self, worker: str) -> bool:
        if len(self.out[worker].kept) > SLOW:
            self.slow[worker] = None
        return worker in self.slow

    def has_caught_up(self, worker: str) -> bool:
        """It was slow, and is not any more."""
        outbox = self.out.get(worker)
        if worker not in self.slow or (outbox is not None and len(outbox.kept) > QUICK):
            return False
        del self.slow[worker]
        return True

    def joined(self, worker: str, out: list[Command]) -> None:
        """There is a link to it again: say again what it may not have heard."""
        outbox = self.out.setdefault(worker, Outbox())
        floor = outbox.floor
        out.extend(Send(worker, Passed(number, floor, message)) for number, message in outbox.kept.items())
        inbox = self.into.get(worker)
        if inbox is not None:
            out.extend(Send(worker, told) for told in inbox.done.values())

    def takes(self, worker: str, instance: bytes, passed: Passed, out: list[Command]) -> bool:
        """Is it new? What it had in hand of an older process of that name is of no use to the new one."""
        inbox = self.into.get(worker)
        if inbox is None or inbox.instance != instance:
            inbox = self.into[worker] = Inbox(instance)
        if inbox.takes(passed.number, passed.floor):
            return True
        told = inbox.done.get(passed.number)
        if told is not None:
            out.append(Send(worker, told))
        return False

    def done(self, worker: str, number: int, out: list[Command]) -> None:
        self._settle(worker, Done(number), out)

    def bounce(self, worker: str, number: int, out: list[Command]) -> None:
        self._settle(worker, Bounced(number), out)

    def refuse(self, worker: str, number: int, out: list[Command], *, is_given_up: bool) -> None:
        self._settle(worker, Refused(number, is_given_up), out)

    def _settle(self, worker: str, told: Settled, out: list[Command]) -> None:
        inbox = self.into.get(worker)
        if inbox is not None and told.number in inbox.open:
            inbox.open.discard(told.number)
            inbox.done[told.number] = told
            out.append(Send(worker, told))

    def settled(self, worker: str, number: int) -> Event | Reply | None:
        """The other side is done with it, or sends it back. None: that was known."""
        outbox = self.out.get(worker)
        return None if outbox is None else outbox.kept.pop(number, None)

    def sent(self, worker: str, source: str, to: str = "") -> list[int]:
        """The numbers of what it has in hand of one instance, for one place or any."""
        outbox = self.out.get(worker)
        kept: Iterable[tuple[int, Event | Reply]] = () if outbox is None else outbox.kept.items()
        return [
            number
            for number, message in kept
            if isinstance(message, Event) and message.source == source and (not to or place(message.target) == to)
        ]

    def forget(self, instance: str) -> None:
        """What it has sent and nobody is done with is not said again."""
        for outbox in self.out.values():
            for number, message in list(outbox.kept.items()):
                if message.source.partition("@")[0] == instance:
                    del outbox.kept[number]

    def named(self, worker: str) -> list[str]:
        """That one, or all of a domain."""
        if not worker.endswith(FAR):
            return [worker]
        return [name for name in self.out if name.startswith(worker)]

    def recall(self, worker: str, at: str) -> Iterable[tuple[int, Event | Reply]]:
        """What it has in hand for one place, which it has no more."""
        outbox = self.out[worker]
        kept = [
            (number, message)
            for number, message in outbox.kept.items()
            if isinstance(message, Event) and place(message.target) == at
        ]
        for number, _ in kept:
            del outbox.kept[number]
        return kept

    def gone(self, worker: str) -> Iterable[tuple[int, Event | Reply]]:
        """It is given up: what it had not handled, in its order. It may be there still, and remember the numbers that
        it had: they go on."""
        self.addresses.pop(worker, None)
        outbox = self.out.get(worker)
        if outbox is None:
            return ()
        kept, outbox.kept = list(outbox.kept.items()), {}
        return kept

    def drop(self, worker: str) -> None:
        """It will hardly come back."""
        self.out.pop(worker, None)
        self.into.pop(worker, None)
