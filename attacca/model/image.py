"""What a container image says of itself, and where it lies unpacked: between whoever keeps images and who runs them.

The fields are those of OCI's image specification (https://github.com/opencontainers/image-spec/blob/main/config.md),
and are read from its JSON as they are; Docker writes null for what is unset.
"""

import re
from enum import StrEnum

import msgspec

from attacca.errors import BadFunction

DIGEST = re.compile(r"[0-9a-f]{64}(?!\n)$")  # sha256 of the manifest
PORT_MOST = 65_535
START = "attacca."  # of a label that is a setting
CONTRACT = f"{START}contract"  # the label that says how the program wants to be asked
EVENT_PROGRAMS = ("bootstrap", "lambda-entrypoint.sh", "aws-lambda-ric")  # that ask for their events, by name
EVENT_MODULES = ("awslambdaric",)  # the same, as words of a command
WATCHDOGS = ("fwatchdog", "of-watchdog")
WATCHED = "fprocess"  # the variable by which OpenFaaS's watchdog is told what to run


class Contract(StrEnum):
    """How an image's program takes its requests."""

    HTTP = "http"  # as they come, on $PORT
    LAMBDA = "lambda"  # it asks for its events, by Lambda's Runtime API
    OPENFAAS = "openfaas"  # as HTTP, once `/_/health` says that it can
    ILUVATAR = "iluvatar"  # POST /invoke with a JSON object, once `GET /` says that it can; or as the next
    ILUVATAR_UNIX = "iluvatar-unix"  # the same, over a Unix socket
    GUEST = "guest"  # no program of its own: its Python runs a handler, as `runtime = "process"` has it


AGENTS = (Contract.ILUVATAR, Contract.ILUVATAR_UNIX)


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What is to be run, as whom and where, unless somebody says otherwise."""

    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] | None = None  # NAME=value each
    working_dir: str | None = None
    user: str | None = None  # a name or a number, perhaps with :GROUP
    exposed_ports: dict[str, dict[str, str]] | None = None  # "8080/tcp"
    labels: dict[str, str] | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """
        Raises:
            BadFunction: it names no program.
        """
        words = (*(self.entrypoint or ()), *(self.cmd or ()))
        if not words:
            raise BadFunction("the image names no program to run", "give it an ENTRYPOINT or a CMD")
        return words

    @property
    def contract(self) -> Contract | None:
        """By its label, or by what it runs; None: it may ask for events or serve HTTP, whichever it does first.

        Raises:
            BadFunction: the label names none.
        """
        if (told := (self.labels or {}).get(CONTRACT)) is not None:
            if told not in list(Contract):
                known = ", ".join(Contract)
                raise BadFunction(f"the image's label {CONTRACT} is {told[:40]!r}", f"it may be one of {known}")
            return Contract(told)
        words = (*(self.entrypoint or ()), *(self.cmd or ()))
        names = [word.rpartition("/")[2] for word in words]
        if WATCHED in self.variables or any(name in WATCHDOGS for name in names[:1]):
            return Contract.OPENFAAS
        if names and (names[0] in EVENT_PROGRAMS or any(word in EVENT_MODULES for word in words)):
            return Contract.LAMBDA
        return None

    @property
    def variables(self) -> dict[str, str]:
        """Its environment; the last of a name holds."""
        return {name: value for name, _, value in (line.partition("=") for line in self.env or ()) if name}

    @property
    def ports(self) -> tuple[int, ...]:
        """Of TCP, that it says it listens on, the lowest first."""
        found = set()
        for text in self.exposed_ports or ():
            number, _, protocol = text.partition("/")
            if protocol in ("", "tcp") and number.isascii() and number.isdecimal() and 0 < int(number) <= PORT_MOST:
                found.add(int(number))
        return tuple(sorted(found))


class UnpackedImage(msgspec.Struct, frozen=True):
    """An image whose layers lie on one another in one directory. Nobody writes to it; all its sandboxes share it."""

    digest: str
    rootfs: str  # an absolute path
    config: ImageConfig
