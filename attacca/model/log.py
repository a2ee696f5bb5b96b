"""A line that a function wrote."""

import msgspec


class LogLine(msgspec.Struct, frozen=True):
    """`invocation` is empty when it cannot be told which one wrote it. `stream` is stdout, stderr, a level of
    `logging`, or "attacca" for a remark of the platform, such as how many lines were dropped."""

    at: float  # seconds since 1970
    revision: int
    sandbox: str
    invocation: str
    stream: str
    text: str
