"""When a function is called by the clock: the entries of `schedule`, and the zone that they are of."""

from collections.abc import Collection
from typing import Annotated

import msgspec

from attacca.kernel import cron

SCHEDULES_MOST = 20  # of one function
SCHEDULE = "five fields of cron: minute, hour, day of month, month, day of week"
Cron = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9A-Za-z*,/#-]+( [0-9A-Za-z*,/#-]+){4}(?!\n)$", max_length=200, description=SCHEDULE)
]
TIMEZONE = "a name of the IANA database, such as Europe/Rome"
TimeZone = Annotated[str, msgspec.Meta(pattern=r"^[A-Z][A-Za-z0-9_+/-]*(?!\n)$", max_length=64, description=TIMEZONE)]


def expect(entries: Collection[str], timezone: str) -> None:
    """
    Raises:
        ValueError: what is wrong with them, or with the zone, where there are none.
    """
    for expression in entries or ("0 0 * * *",):
        cron.expect(expression, timezone)
