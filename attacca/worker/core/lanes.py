"""What an instance has sent and could not be given: it waits here, by whose place it is for, in its order.

sent ──▶ held: its target is nowhere               a Patch says where it is,
passed ──▶ came back: its target has left   ──▶    and nothing before it is on its way ──▶ sent on

What those had sent whose place the instance has now, and nobody got, was sent before all of its own, however late that
is known.
"""

from attacca.model.events import MAILBOX_BYTES, MAILBOX_MOST, Event

HIGH = 0.5  # of what a lane may hold: above, who sends is not listened to


class Lane:
    """What of one sender waits for who has one place."""

    __slots__ = ("back", "bytes", "flying", "held", "inherited", "left")

    def __init__(self) -> None:
        self.flying: set[tuple[str, int]] = set()  # worker and number: passed to it, and neither done nor come back
        self.back: list[tuple[int, Event]] = []  # what came back, and its number
        self.held: list[Event] = []
        self.inherited: list[Event] = []
        self.bytes = 0  # of these and of those held
        self.left = ""  # the instance from which something came back: nothing more is for it

    def __repr__(self) -> str:
        counts = f"{len(self.inherited)} inherited, {len(self.back)} came back, {len(self.held)} held"
        return f"<Lane {counts}, {len(self.flying)} on their way>"

    def hold(self, event: Event) -> bool:
        """False: too much is held already."""
        return self._add(self.held, event)

    def inherit(self, event: Event) -> bool:
        """Of a predecessor. False: too much is held already."""
        return self._add(self.inherited, event)

    def _add(self, to: list[Event], event: Event) -> bool:
        if self._count >= MAILBOX_MOST or self.bytes + len(event.data) > MAILBOX_BYTES:
            return False
        to.append(event)
        self.bytes += len(event.data)
        return True

    @property
    def _count(self) -> int:
        return len(self.held) + len(self.inherited)

    @property
    def is_long(self) -> bool:
        return self._count > HIGH * MAILBOX_MOST or self.bytes > HIGH * MAILBOX_BYTES

    def events(self) -> list[Event]:
        """All that waits, as it was sent. What was passed was sent before what is held."""
        return self.inherited + [event for _, event in sorted(self.back, key=_number)] + self.held


def _number(back: tuple[int, Event]) -> int:
    return back[0]
