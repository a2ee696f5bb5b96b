"""What a function may say that is pure: it computes its answer from its input, and can do nothing else."""

from collections.abc import Mapping
from typing import Protocol

OF_WASM = "auto", "wasm"


class OfPure(Protocol):
    """A function's settings."""

    @property
    def pure(self) -> bool: ...
    @property
    def runtime(self) -> str: ...
    @property
    def network(self) -> str: ...
    @property
    def scheduling(self) -> str: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def secrets(self) -> Mapping[str, object]: ...
    @property
    def gpu(self) -> float: ...


def expect(asking: OfPure) -> None:
    """
    Raises:
        ValueError: they make no sense together.
    """
    if not asking.pure:
        return
    if asking.runtime not in OF_WASM:
        raise ValueError(f'pure is of WebAssembly, and so does not go with runtime = "{asking.runtime}"')
    given = {name: getattr(asking, name) for name in ("env", "secrets", "gpu")}
    if (which := next((name for name, value in given.items() if value), None)) is not None:
        raise ValueError(f"a pure function is given its input and nothing else; leave out {which}")
    if asking.network != "none":
        raise ValueError(f'a pure function reaches nothing; leave out network = "{asking.network}"')
    if asking.concurrency != 1:
        raise ValueError("a pure function has a core to itself until it is done; leave out concurrency")
    if asking.scheduling != "worker":
        raise ValueError('cores are given out by a worker, and so pure needs scheduling = "worker"')
