"""What a function may ask of accelerators."""

from collections.abc import Sequence
from enum import StrEnum


class Compute(StrEnum):
    """What an invocation may run on."""

    CPU = "cpu"
    GPU = "gpu"


def expect(gpu: float, gpu_memory_mb: int | None, compute: Sequence[Compute], *, by_control: bool) -> None:
    """`by_control`: who decides where it runs.

    Raises:
        ValueError: they make no sense together.
    """
    if gpu > 1 and gpu != int(gpu):
        raise ValueError(f"gpu is a share of one device, up to 1, or whole ones; not {gpu:g}")
    if len(set(compute)) != len(compute):
        raise ValueError(f"compute names {compute[0]} twice")
    if not gpu and (Compute.GPU in compute or gpu_memory_mb):
        which = "gpu_memory_mb" if gpu_memory_mb else 'compute = "gpu"'
        raise ValueError(f"{which} is about a device, and so needs gpu: a share of one, or whole ones")
    if gpu and compute == (Compute.CPU,):
        raise ValueError('gpu asks for a device, and compute does not; write compute = ["cpu", "gpu"] for either')
    if len(compute) > 1 and by_control:
        raise ValueError('where each invocation runs is decided by its worker, and so needs scheduling = "worker"')
