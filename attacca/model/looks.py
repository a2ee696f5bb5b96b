"""What control asks a worker of its machine."""

import msgspec

from attacca.model.sandbox import LoadSeen


class AskLoads(msgspec.Struct, frozen=True, tag=True):
    """How busy has the worker's machine been in the last minute?"""

    id: str


class LoadsTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskLoads of that id, the oldest first; empty: nobody measures it."""

    id: str
    loads: tuple[LoadSeen, ...]
