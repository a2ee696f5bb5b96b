"""What the worker tells the zygote about a sandbox to make, as it travels: JSON beside two descriptors."""

from typing import TypedDict


class Order(TypedDict):
    """Make one sandbox, or, when `template`, one that can be forked from."""

    id: str
    template: bool
    function: str
    revision: int
    code: str  # digest; with isolation off, a path
    bundle: str | None
    handler: str  # "module:attribute", or empty: find it
    signature: str  # of model.function.Signature, or empty: find it
    env: dict[str, str]
    memory_mb: int
    import_s: float  # how long the import may take
    timeout_s: float
    concurrency: int
    host_network: bool
    space_mb: int  # of /tmp and of /dev/shm
    limits: dict[str, int]  # names of resource.RLIMIT_*, without the prefix
    max_body: int  # bytes of an answer
    max_log: int  # bytes of output kept per invocation


class Setting(TypedDict):
    """How the keeper is to set up the zygote."""

    prefix: str
    code: str
    bundles: str
    isolate: bool
    outer_id: int  # the host's user that sandboxes are; our own when we cannot choose
    outer_group: int
    privileged: bool
    groups: list[str]  # the worker's own cgroups, to be removed when it is gone
