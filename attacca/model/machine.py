"""What a worker's machine is and has: found there, or declared in the worker's settings."""

from typing import Annotated

import msgspec

# Of a function: the kind of code that it is, as its `Artefact.what`, its network, and the devices it cannot do without.
Needs = tuple[str, str, float]


class Device(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An accelerator. `name` is what CUDA_VISIBLE_DEVICES calls it: its UUID, or its number."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}(?!\n)$")]
    memory_mb: Annotated[int, msgspec.Meta(ge=0)] = 0  # 0: unknown, and not counted
    model: Annotated[str, msgspec.Meta(max_length=100)] = ""
    number: Annotated[int, msgspec.Meta(ge=0, le=1023)] | None = None  # of its file, /dev/nvidia0; None: as its name
    is_found: bool = False  # by nvidia-smi, and not declared

    @property
    def file_number(self) -> str:
        """Empty: it has no file that we know of."""
        if self.number is not None:
            return str(self.number)
        return self.name if self.name.isdecimal() else ""


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`resources`: the classes of resources that it hosts; `events`: the kinds of code that are event functions there,
    each as its `Artefact.what`; `networks`: the kinds of code that it runs at all, with the networks that each can be
    given; `makers`: those kinds again, each with what makes its sandboxes, where that is a program beside us. None:
    nobody has said. `latency_ms`: to other workers."""

    processors: int = 1  # that the system sees
    cores: int = 1  # that these are of
    mhz: float = 0.0  # of one of them; 0: unknown
    model: str = ""  # of its processors
    memory_mb: int = 0
    disk_mb: int = 0
    labels: tuple[str, ...] = ()
    tee: bool = False  # it runs in an enclave of its processor
    tpm: bool = False
    resources: tuple[str, ...] | None = None
    events: tuple[str, ...] | None = None
    networks: dict[str, tuple[str, ...]] | None = None
    makers: dict[str, str] | None = None
    latency_ms: dict[str, float] = {}
    devices: tuple[Device, ...] | None = None  # accelerators; None: nobody has said


def unable(machine: Machine | None, needs: Needs, gone: int = 0) -> str:
    """Why no sandbox of such a function can be there; empty: it can, as far as anybody has said. `gone`: so many of its
    devices are not there any more, or not just now."""
    if machine is None:
        return ""
    kind, network, gpu = needs
    if gpu and machine.devices is not None and gpu > len(machine.devices) - gone:
        less = f", of which {gone} are gone" if gone else ""
        return f"it has {len(machine.devices)} accelerators{less}, and {gpu:g} are asked for"
    if machine.networks is None:
        return ""
    if kind not in machine.networks:
        return f"it does not run {kind}"
    return "" if network in machine.networks[kind] else f'it gives {kind} no network = "{network}"'
