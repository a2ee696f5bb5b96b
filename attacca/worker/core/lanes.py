"""What an instance has sent and could not be given: it waits here, by whose place it is for, in its order.

sent ──▶ held: its target is nowhere               a Patch says where it is,
passed ──▶ came back: its target has left   ──▶    and nothing before it is on its way ──▶ sent on
"""

from attacca.model.events import MAILBOX_BYTES, MAILBOX_MOST, Event

HIGH = 0.5  # of what a lane may hold: above, who sends is not listened to


class Lane:
    """What of one sender waits for who has one place."""

    __slots__ = ("back", "bytes", "flying", "held", "left")

    def __init__(self) -> None:
        self.flying: set[tuple[str, int]] = set()  # worker and number: passed to it, and neither done nor come back
        self.back: list[tuple[int, Event]] = []  # what came back, and its number
        self.held: list[Event] = []
        self.bytes = 0  # of these
        self.left = ""  # the instance from which something came back: nothing more is for it

    def __repr__(self) -> str:
        return f"<Lane {len(self.back)} came back, {len(self.held)} held, {len(self.flying)} on their way>"

    def hold(self, event: Event) -> bool:
        """False: too much is held already."""
        if len(self.held) >= MAILBOX_MOST or self.bytes + len(event.data) > MAILBOX_BYTES:
            return False
        self.held.append(event)
        self.bytes += len(event.data)
        return True

    @property
    def is_long(self) -> bool:
        return len(self.held) > HIGH * MAILBOX_MOST or self.bytes > HIGH * MAILBOX_BYTES

    def events(self) -> list[Event]:
        """All that waits. What was passed was sent before what is held."""
        return [event for _, event in sorted(self.back, key=_number)] + self.held


def _number(back: tuple[int, Event]) -> int:
    return back[0]
