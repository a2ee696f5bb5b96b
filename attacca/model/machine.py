"""What a worker's machine is and has: found there, or declared in the worker's settings."""

import msgspec

Needs = tuple[str, str]  # of a function: the kind of code that it is, as its `Artefact.what`, and its network


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`resources`: the classes of resources that it hosts; `events`: the kinds of code that are event functions there,
    each as its `Artefact.what`; `networks`: the kinds of code that it runs at all, with the networks that each can be
    given. None: nobody has said. `latency_ms`: to other workers."""

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
    latency_ms: dict[str, float] = {}


def unable(machine: Machine | None, needs: Needs) -> str:
    """Why no sandbox of such a function can be there; empty: it can, as far as anybody has said."""
    if machine is None or machine.networks is None:
        return ""
    kind, network = needs
    if kind not in machine.networks:
        return f"it does not run {kind}"
    return "" if network in machine.networks[kind] else f'it gives {kind} no network = "{network}"'
