"""When a cron expression is due next, in a time zone. Clock changes are treated as Debian's cron treats them.

A run at a fixed time that falls into an hour that is skipped is due right after it, and into one that comes twice the
first time only; what runs every so often (`*/5`, `*`) goes by the time that passes.
"""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache

MISSED_COUNTED = 1000  # due times that are counted one by one


def expect(expression: str, timezone: str) -> None:
    """
    Raises:
        ValueError: says which of the two is none, or that it would never be due.
    """
    zone = _zone(timezone)
    if zone is None:
        raise ValueError(f"timezone {timezone!r} is not known; write a name of the IANA database, like Europe/Rome")
    from cronsim import CronSimError

    if len(expression.split()) != 5:
        raise ValueError(f"schedule {expression!r} has {len(expression.split())} fields, and cron's has 5")
    try:
        due = next_due(expression, timezone, 0.0)
    except CronSimError as error:
        raise ValueError(f"schedule {expression!r} is not cron's: {str(error).lower()}") from None
    if due is None:
        raise ValueError(f"schedule {expression!r} is never due")


def next_due(expression: str, timezone: str, after: float) -> float | None:
    """The first due time later than `after`, both in seconds since 1970; None when there is none in fifty years."""
    from cronsim import CronSim

    zone = _zone(timezone)
    assert zone is not None, f"{timezone} was checked at the door"
    for due in CronSim(expression, datetime.fromtimestamp(after, UTC).astimezone(zone)):
        at = due.timestamp()
        if at > after:  # in an hour that comes twice, a fixed time may lie behind
            return at
    return None


def latest_due(expression: str, timezone: str, after: float, until: float) -> tuple[float, int]:
    """The last due time in (after, until], and how many there are; (after, 0) where none is.

    Where there are more than MISSED_COUNTED, they are that many, and the last is taken to be `until`.
    """
    latest, count = after, 0
    while count < MISSED_COUNTED:
        due = next_due(expression, timezone, latest)
        if due is None or due > until:
            return latest, count
        latest, count = due, count + 1
    return until, count


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; no such path; a directory of the database
        return None
