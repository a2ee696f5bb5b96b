"""What every resource offers: it is made from its configuration, handles events one at a time, and ends."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from attacca.errors import BadConfig


class Host(msgspec.Struct, frozen=True):
    """What its node gives a resource."""

    cast: Callable[[str, bytes], None]  # to one of its outputs
    directory: Path  # for the files that it writes
    wall: Callable[[], float]  # seconds since 1970


class Resource(Protocol):
    def __init__(self, configuration: Mapping[str, str], host: Host) -> None:
        """
        Raises:
            BadConfig: names the field.
        """

    async def open(self, self_id: str, workflow: str) -> None:
        """
        Raises:
            AttaccaError: what it stands for is not to be had.
        """

    async def cast(self, source: str, data: bytes) -> None: ...

    async def call(self, source: str, data: bytes) -> bytes | None:
        """
        Raises:
            AttaccaError: there is no reply; the caller is told.
        """

    async def close(self) -> None: ...


def field(configuration: Mapping[str, str], name: str, of: str) -> str:
    """
    Raises:
        BadConfig: it is not there.
    """
    value = configuration.get(name)
    if not value:
        raise BadConfig(f"a {of} needs {name!r} in its configuration", f'write {name} = "..."')
    return value


def is_set(configuration: Mapping[str, str], name: str) -> bool:
    return configuration.get(name, "false").lower() not in ("", "false", "no", "0")
