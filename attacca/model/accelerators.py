"""What a function may ask of accelerators."""

from enum import StrEnum
from typing import Final, Protocol

WITHOUT: Final = ("microvm", "wasm", "kubernetes")  # runtimes


class Compute(StrEnum):
    """What an invocation may run on."""

    CPU = "cpu"
    GPU = "gpu"


class Asking(Protocol):
    """A function's settings."""

    @property
    def gpu(self) -> float: ...
    @property
    def gpu_memory_mb(self) -> int | None: ...
    @property
    def compute(self) -> tuple[Compute, ...]: ...
    @property
    def scheduling(self) -> str: ...
    @property
    def runtime(self) -> str: ...


def expect(asking: Asking) -> None:
    """
    Raises:
        ValueError: they make no sense together.
    """
    gpu, compute = asking.gpu, asking.compute
    if gpu > 1 and gpu != int(gpu):
        raise ValueError(f"gpu is a share of one device, up to 1, or whole ones; not {gpu:g}")
    if len(set(compute)) != len(compute):
        raise ValueError(f"compute names {compute[0]} twice")
    if not gpu and (Compute.GPU in compute or asking.gpu_memory_mb):
        which = "gpu_memory_mb" if asking.gpu_memory_mb else 'compute = "gpu"'
        raise ValueError(f"{which} is about a device, and so needs gpu: a share of one, or whole ones")
    if gpu and compute == (Compute.CPU,):
        raise ValueError('gpu asks for a device, and compute does not; write compute = ["cpu", "gpu"] for either')
    if len(compute) > 1 and asking.scheduling == "cluster":
        raise ValueError('where each invocation runs is decided by its worker, and so needs scheduling = "worker"')
    if gpu and asking.runtime in WITHOUT:
        raise ValueError(f'nothing leads to a device from runtime = "{asking.runtime}"; leave gpu out')
