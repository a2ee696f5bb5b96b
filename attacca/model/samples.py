"""What workers measure of the lives of event functions."""

from enum import StrEnum

import msgspec


class Measure(StrEnum):
    """What of an instance's life a sample measures."""

    INSTANTIATE = "instantiate"  # until its code is there
    INIT = "init"
    CAST = "cast"
    CALL = "call"
    TRANSFER = "transfer"  # from when an event was sent until it is handled
    STOP = "stop"


class Sample(msgspec.Struct, frozen=True, gc=False):
    """How long one thing took. `at`: when it had ended, in seconds since 1970."""

    instance: str
    measure: Measure
    at: float
    seconds: float


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What an event function told with a target: for whoever collects it, beside the log."""

    instance: str
    at: float
    level: str
    target: str
    text: str
