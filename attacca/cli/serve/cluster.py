"""Planes apart: what each is told of the others, and how it shows that it belongs to them."""

import hashlib
import os
import secrets
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from attacca.control.deploy.state import StateDir
from attacca.errors import BadConfig, StateUnavailable
from attacca.io.certificates import Certificates
from attacca.io.wire.tcp import Address, parsed
from attacca.io.wire.types import Hello
from attacca.kernel.access import is_loopback
from attacca.kernel.chance import Chance

CONTROL_PORT, CONTROL_HTTP_PORT = 7700, 7780
FEDERATION_PORT, FEDERATION_HTTP_PORT = 7900, 7980
JOIN_TOKEN, JOIN_FILE, NAME_FILE = "ATTACCA_JOIN_TOKEN", "join_token", "name"
LISTEN_FD = "ATTACCA_LISTEN_FD"  # of a socket that `attacca up` hands to its gateways
HINT = "attacca certs init, then --certs DIR with what it makes for each plane; or listen on 127.0.0.1"
Name = Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)?(?!\n)$")]


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of `attacca control`, `attacca gateway` and `attacca worker`; `attacca up` needs none of it."""

    name: Name = ""  # of this plane among all of them; of its machine, and kept, when unset
    control: tuple[str, ...] = (f"127.0.0.1:{CONTROL_PORT}",)  # HOST:PORT, where control listens for the others
    listen: str = "127.0.0.1:0"  # HOST:PORT, where this plane listens for others; port 0: any free one
    advertise: str = ""  # HOST or HOST:PORT, where others reach it; as it listens when unset
    certs: Path | None = None  # a directory that `attacca certs` made for this plane: links pass through TLS
    join_token_file: Path | None = None  # with what `attacca token join` printed; or ATTACCA_JOIN_TOKEN has it

    sockets: Path | None = None  # a directory of planes on one machine, of nobody else: their links go by sockets there
    haproxy: Path | None = None  # of control: the socket of a HAProxy that is told which gateways there are
    haproxy_backend: str = "attacca"
    code_mb: Annotated[int, msgspec.Meta(ge=16)] = 4096  # of code and bundles that a worker keeps; more where in use

    def __post_init__(self) -> None:
        for text in (*self.control, self.listen):
            if parsed(text) is None:
                raise ValueError(f"{text!r} is not HOST:PORT")


class Ticket(msgspec.Struct, frozen=True):
    """What every link of a process begins with."""

    plane: str
    name: str
    key: bytes
    instance: bytes

    def hello(self) -> Hello:
        return Hello(self.plane, self.name, self.key, instance=self.instance)

    def __repr__(self) -> str:
        return f"Ticket({self.plane!r}, {self.name!r})"


def ticket(plane: str, name: str, key: bytes) -> Ticket:
    return Ticket(plane, name, key, secrets.token_bytes(16))


def address(text: str) -> Address:
    """
    Raises:
        BadConfig: it is none.
    """
    pair = parsed(text)
    if pair is None:
        raise BadConfig(f"{text!r} is not HOST:PORT", "--control 10.0.0.1:7700")
    return pair


def certificates(config: ClusterConfig) -> Certificates | None:
    """
    Raises:
        BadConfig: they cannot be used, or there are none, and links would pass through a network as they are.
    """
    if config.certs is not None:
        return Certificates(config.certs)
    for control in config.control:
        if not is_loopback(address(control)[0]):
            raise BadConfig(f"links to {control} would pass through the network as they are", HINT)
    return None


def listened(config: ClusterConfig) -> Address:
    """Where a plane listens for others.

    Raises:
        BadConfig: others than those of this machine would reach it, and what they say would be read by everybody.
    """
    host, port = address(config.listen)
    if config.certs is None and not is_loopback(host):
        raise BadConfig(f"links on {host} would pass through the network as they are", HINT)
    return host, port


def advertised(config: ClusterConfig, host: str, port: int) -> str:
    """Where others reach who listens there."""
    shown = config.advertise or host
    if parsed(shown) is not None:
        return shown
    return f"[{shown}]:{port}" if ":" in shown else f"{shown}:{port}"


def leave_key(state_dir: Path, token: str) -> bytes:
    """For planes on the machine of their control, which read it there.

    Raises:
        StateUnavailable: it cannot be written.
    """
    path = state_dir / JOIN_FILE
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateUnavailable(f"{path} cannot be written: {error.strerror}", "--state-dir DIR") from None
    with os.fdopen(handle, "w") as file:
        file.write(token + "\n")
    return token.encode()


def given_key(config: ClusterConfig, environ: Mapping[str, str], beside: Path) -> bytes:
    """`beside`: the state directory of a control on this machine.

    Raises:
        BadConfig: nobody has said it.
        StateUnavailable: it cannot be read.
    """
    if environ.get(JOIN_TOKEN):
        return environ[JOIN_TOKEN].strip().encode()
    path = config.join_token_file or beside / JOIN_FILE
    if config.join_token_file is None and not path.exists():
        raise BadConfig(
            "there is no join token", f"on control's machine: attacca token join; here: export {JOIN_TOKEN}=..."
        )
    return read_key(path)


def calls_file(state: StateDir, key: bytes) -> Path:
    """Where a gateway keeps asynchronous calls: beside its control, or else apart from those of other clusters."""
    beside = state.path / JOIN_FILE
    if beside.exists() and read_key(beside) == key:
        return state.calls
    return state.path / f"calls-{hashlib.sha256(key).hexdigest()[:12]}.db"


def read_key(path: Path) -> bytes:
    """
    Raises:
        StateUnavailable: it cannot be read.
        BadConfig: it is empty.
    """
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise StateUnavailable(
            f"the join token in {path} cannot be read: {error.strerror}", "attacca token join"
        ) from None
    if not key:
        raise BadConfig(f"{path} is empty", "remove it, and have control make another: attacca token join")
    return key


def fresh_name(plane: str, chance: Chance) -> str:
    """Of this machine, and of nobody else there."""
    machine = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in socket.gethostname().lower())
    return f"{plane}-{machine[:40].strip('-') or 'here'}-{chance.getrandbits(16):04x}"


def kept_name(directory: Path, plane: str, chance: Chance) -> str:
    """The one that it had when it was started last."""
    path = directory / NAME_FILE
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        name = fresh_name(plane, chance)
        path.write_text(name + "\n")
        return name
