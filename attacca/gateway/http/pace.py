"""How fast a body has to come: enough in every stretch of time, and never nothing for that long."""

from typing import NamedTuple

SLOWEST = 1024  # bytes per second
SLOWEST_PRESSED = 64 * 1024  # while others wait for the room that it takes
PRESSED_SHARE = 0.25  # of the stretch: so soon a slow one is told then


class Pace(NamedTuple):
    """Of one body: where the stretch began that is being looked at, and when it grew last."""

    since: float
    size: int = 0  # at that time
    grew_at: float = 0.0
    seen: int = 0  # its size when it was looked at last


def begin(now: float, size: int = 0) -> Pace:
    return Pace(now, size, now, size)


def go_on(pace: Pace, now: float, size: int, stretch_s: float, *, is_pressed: bool = False) -> Pace | None:
    """What is known of it now; None when it is too slow to be waited for."""
    grew_at = now if size != pace.seen else pace.grew_at
    spent_s, grown = now - pace.since, size - pace.size
    if now - grew_at > stretch_s:
        return None
    if is_pressed and spent_s > stretch_s * PRESSED_SHARE and grown < SLOWEST_PRESSED * spent_s:
        return None
    if spent_s <= stretch_s:
        return Pace(pace.since, pace.size, grew_at, size)
    return None if grown < SLOWEST * spent_s else Pace(now, size, grew_at, size)
