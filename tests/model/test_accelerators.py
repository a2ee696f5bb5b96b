"""What a function may ask of accelerators, and what it holds for it."""

import pytest

from attacca.model.accelerators import Compute
from attacca.model.function import RuntimeKind, Scheduling, Settings
from attacca.model.resources import Resources
from tests.cases import each

EITHER = (Compute.CPU, Compute.GPU)


@each(
    "asked, why",
    [
        ({"gpu": 1.5}, "a share of one device"),
        ({"gpu_memory_mb": 100}, "gpu_memory_mb is about a device"),
        ({"compute": (Compute.GPU,)}, "is about a device"),
        ({"gpu": 1, "compute": (Compute.CPU,)}, 'write compute = ["cpu", "gpu"]'),
        ({"gpu": 1, "compute": (Compute.CPU, Compute.CPU)}, "twice"),
        ({"gpu": 1, "runtime": RuntimeKind.MICROVM}, 'from runtime = "microvm"; leave gpu out'),
        ({"gpu": 1, "compute": EITHER, "scheduling": Scheduling.CLUSTER}, 'scheduling = "worker"'),
    ],
)
def test_what_makes_no_sense_is_refused(asked: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("[", r"\[")):
        Settings(name="f", **asked)  # type: ignore[arg-type]  # of its fields


def test_one_that_may_do_without_holds_no_device_where_it_does() -> None:
    either = Settings(name="f", gpu=0.5, gpu_memory_mb=900, compute=EITHER)
    assert either.is_either
    assert either.resources == either.on(Compute.CPU).resources == Resources(128)
    assert either.on(Compute.GPU).resources == Resources(128, gpu=0.5, gpu_memory_mb=900)
    assert Settings(name="f", gpu=2).resources == Resources(128, gpu=2)
    assert not Settings(name="f").is_either
