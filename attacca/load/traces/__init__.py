"""Recorded and made-up workloads, read from the formats of the field into one schema."""

from typing import TYPE_CHECKING

from attacca.errors import BadConfig

if TYPE_CHECKING:
    from attacca.load.traces.types import Trace
    from attacca.load.workload.scenario import TraceUse


def open_trace(use: "TraceUse", seed: int, *, skip_bad: bool = False) -> "Trace":
    """The part of a trace that a scenario uses. The same use and seed give the same invocations.

    Raises:
        BadTrace: it cannot be read, or nothing is left of it.
        BadConfig: what reads traces is not installed.
    """
    need_laboratory()
    from attacca.load.traces.formats import open_trace as opened

    return opened(use, seed, skip_bad=skip_bad)


def need_laboratory() -> None:
    """
    Raises:
        BadConfig: polars or numpy is not installed.
    """
    try:
        import numpy  # noqa: F401 - is it there?
        import polars  # noqa: F401 - is it there?
    except ImportError as error:
        raise BadConfig(f"traces need {error.name}, which is not installed", "pip install 'attacca[lab]'") from None
