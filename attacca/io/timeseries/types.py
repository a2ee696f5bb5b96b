"""What a database of time series is told, and what it can be asked."""

from typing import Protocol

import msgspec

from attacca.io.posting import Posted

Number = float | int


class Point(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was measured at one moment. `at`: seconds since 1970. Tags say of whom; one without a value is none."""

    measurement: str
    tags: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, Number], ...]
    at: float


class TimeSeries(Protocol):
    """Its methods wait, so they are for a thread of their own."""

    def write(self, points: list[Point]) -> Posted:
        """A point with the same measurement, tags and moment as one before takes its place.

        Raises:
            Silent: it does not answer.
        """

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        """By each value of the tag the newest value of each field, of the last `since_s` seconds before `now`.

        Raises:
            Silent: it does not answer, or not with what it should.
        """
