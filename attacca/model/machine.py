"""What a worker's machine is and has: found there, or declared in the worker's settings."""

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`resources`: the classes of resources that it hosts; `events`: the kinds of code that are event functions there,
    each as its `Artefact.what`; None: nobody has said. `latency_ms`: to other workers."""

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
    latency_ms: dict[str, float] = {}
