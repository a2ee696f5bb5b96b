"""Recorded and made-up workloads, read from the formats of the field into one schema."""

from typing import TYPE_CHECKING

from attacca.load.extra import need_lab

if TYPE_CHECKING:
    from attacca.load.traces.types import Trace, Use


def open_trace(use: "Use", seed: int, *, skip_bad: bool = False) -> "Trace":
    """The part of a trace that a scenario uses. The same use and seed give the same invocations.

    Raises:
        BadTrace: it cannot be read, or nothing is left of it.
        BadConfig: the extra `lab` is not installed.
    """
    need_lab()
    from attacca.load.traces.formats import open_trace as opened

    return opened(use, seed, skip_bad=skip_bad)
