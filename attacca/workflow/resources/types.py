"""What every resource offers: it is made from its configuration, handles events one at a time, and ends."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from attacca.errors import AttaccaError, BadConfig
from attacca.model.invocation import Ok, Request
from attacca.workflow.resources.reach import FAR, Reach

PATIENCE_S = 10.0
Ask = Callable[[str, bytes, float], Awaitable[bytes | None]]


async def _nobody(to: str, data: bytes, seconds: float) -> bytes | None:
    raise BadConfig(f"there is nobody at {to!r}", "lead the output somewhere")


class Host(msgspec.Struct, frozen=True):
    """What its node gives a resource. `call` and `call_to` wait for the reply, so many seconds; 0: as many as its
    component has. They raise an AttaccaError where there is none."""

    cast: Callable[[str, bytes], None]  # to one of its outputs
    directory: Path  # for the files that it writes
    wall: Callable[[], float]  # seconds since 1970
    now: Callable[[], float] = lambda: 0.0  # seconds that only grow
    reach: Reach = FAR  # which hosts it may speak to
    call: Ask = _nobody  # one of its outputs
    call_to: Ask = _nobody  # an address
    patience_s: float = PATIENCE_S  # for a server that is away, of one event


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

    async def cast(self, source: str, data: bytes) -> None:
        """
        Raises:
            AttaccaError: it was in vain; the log says so.
        """

    async def call(self, source: str, data: bytes) -> bytes | None:
        """
        Raises:
            AttaccaError: there is no reply; the caller is told.
        """

    async def close(self) -> None: ...


@runtime_checkable
class Served(Protocol):
    """A resource to which gateways send requests."""

    async def serve(self, request: Request) -> Ok:
        """
        Raises:
            AttaccaError: whoever has asked is told.
        """


class Unable(AttaccaError):
    """A resource was asked for what it cannot do."""

    code, status = "bad_function", 422


def field(configuration: Mapping[str, str], name: str, of: str) -> str:
    """
    Raises:
        BadConfig: it is not there.
    """
    value = configuration.get(name)
    if not value:
        raise BadConfig(f"a {of} needs {name!r} in its configuration", f'write {name} = "..."')
    return value


def below(directory: Path, name: str) -> Path:
    """
    Raises:
        BadConfig: it leads out of it.
    """
    if name.startswith(("/", "~")) or ".." in Path(name).parts:
        raise BadConfig(f"the name {name!r} leads out of the node's directory", "give a name below it")
    return directory / name


def is_set(configuration: Mapping[str, str], name: str) -> bool:
    return configuration.get(name, "false").lower() not in ("", "false", "no", "0")


def number(configuration: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    """
    Raises:
        BadConfig: it is none, or out of bounds.
    """
    told = configuration.get(name)
    try:
        value = default if not told else float(told)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise BadConfig(f"{name} = {told!r} is no number from {least:g} to {most:g}", f"write {name} = {default:g}")
    return value
