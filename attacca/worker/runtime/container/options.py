"""What can be set about containers, read once and checked whole."""

import ipaddress
from typing import Annotated, Literal

import msgspec

from attacca.worker.host.cdi import DIRECTORIES, KIND


class ContainerOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rest, such as how long a start may take and how many processes one may have, is as for processes."""

    # auto: crun, or runc where that is not here. runsc is gVisor. The daemons have to run already.
    engine: Literal["auto", "crun", "runc", "runsc", "containerd", "docker"] = "auto"
    containerd: str = "/run/containerd/containerd.sock"  # where it listens
    docker: str = "/run/docker.sock"  # where dockerd does
    # An idle one is frozen after so long, and thawed by the next invocation; unset: never. It keeps its memory.
    pause_after_s: Annotated[float, msgspec.Meta(ge=0)] | None = None
    # Which kind of device the files of the Container Device Interface call accelerators; empty: they are not read.
    cdi: Annotated[str, msgspec.Meta(pattern=rf"{KIND}|^(?!\n)$")] = "nvidia.com/gpu"
    cdi_dirs: Annotated[tuple[str, ...], msgspec.Meta(max_length=16)] = DIRECTORIES  # of them; the later one wins
    publish_on: str = "127.0.0.1"  # the address of this machine at which functions publish ports; 0.0.0.0: all of them
    networks: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 4  # that are made ahead of need
    # Of so many revisions, those that were started last, one container is created ahead, and waits for its program to
    # begin; with crun, runc and runsc. Unset: of 4 with runsc, of none with the others.
    pool: Annotated[int, msgspec.Meta(ge=0, le=1000)] | None = None

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.publish_on)
        except ValueError:
            raise ValueError(f"container.publish_on is an address, not {self.publish_on[:80]!r}") from None
