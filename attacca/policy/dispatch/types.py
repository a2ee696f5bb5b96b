"""What a dispatch policy is told, and what it answers: what an invocation runs on that may do without a device."""

from typing import Final, NamedTuple, Protocol

import msgspec

from attacca.kernel import protocol
from attacca.kernel.chance import Chance
from attacca.model.accelerators import Compute

CPU, GPU = (Compute.CPU,), (Compute.GPU,)
BOTH = (Compute.CPU, Compute.GPU)


class Side(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One of the two, as the worker has it now. Times in seconds, of this function there; 0: unknown."""

    exec_s: float = 0.0  # mean execution
    total_s: float = 0.0  # mean, from the arrival to the answer
    last_s: float = 0.0  # the latest such
    start_s: float = 0.0  # mean until the answer, by the best sandbox at hand: warm, prewarmed or none
    wait_s: float = 0.0  # what all that wait there are expected to take, for each of its slots
    queued: int = 0  # of all functions
    running: int = 0
    slots: int = 1
    sandboxes: int = 0  # of this function

    @property
    def expected_s(self) -> float:
        """Until the answer."""
        return self.wait_s + self.start_s


class Asked(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An invocation that may run on both. `gap_s`: between its function's arrivals, on average; 0: unknown. `share`: of
    all arrivals of such functions."""

    function: str
    cpu: Side = Side()
    gpu: Side = Side()
    gap_s: float = 0.0
    share: float = 0.0


class Chosen(NamedTuple):
    """`on` both: it waits for both, and runs where it can begin first."""

    on: tuple[Compute, ...]
    why: str


class Dispatcher(Protocol):
    """What is remembered of one worker's invocations that may run on both."""

    def choose(self, now: float, asked: Asked) -> Chosen: ...
    def ended(self, now: float, function: str, compute: Compute, exec_s: float, total_s: float) -> None:
        """One has run there for `exec_s`, `total_s` after it arrived; or failed to (0)."""


class Dispatching(Protocol):
    """A policy: frozen parameters that make a dispatcher."""

    def fresh(self, chance: Chance) -> Dispatcher: ...


DISPATCHER: Final[protocol.Wanted] = {
    "choose": ("now", "asked"),
    "ended": ("now", "function", "compute", "exec_s", "total_s"),
}


def begin(policy: Dispatching, chance: Chance) -> Dispatcher:
    """
    Raises:
        BadConfig: it, or what it makes, lacks something that it will be asked for.
    """
    whose = f"dispatch policy {type(policy).__name__}"
    hint = "docs/policies.md says what each is for; copy the shape of attacca/policy/dispatch/estimate.py"
    protocol.check(policy, {"fresh": ("chance",)}, {}, whose, hint)
    dispatcher = policy.fresh(chance)
    protocol.check(dispatcher, DISPATCHER, {}, whose, hint)
    return dispatcher


def by_estimate(asked: Asked) -> Chosen:
    """Where the answer is expected first; what is unknown is tried, and equals go to the device."""
    cpu_s, gpu_s = asked.cpu.expected_s, asked.gpu.expected_s
    if gpu_s <= cpu_s:
        return Chosen(GPU, f"expected after {gpu_s:.3g} s, on a processor after {cpu_s:.3g} s")
    return Chosen(CPU, f"expected after {cpu_s:.3g} s, on a device after {gpu_s:.3g} s")


def speedup(asked: Asked) -> float:
    """How many times as long it computes without a device. What only the processor has run is worth a try on a device:
    without bounds; what only a device has run, or nobody, has none."""
    if asked.gpu.exec_s > 0.0:
        return asked.cpu.exec_s / asked.gpu.exec_s
    return float("inf") if asked.cpu.exec_s > 0.0 else 0.0


class Forgetful:
    """A dispatcher that learns nothing from what has ended."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def ended(self, now: float, function: str, compute: Compute, exec_s: float, total_s: float) -> None:
        """It goes by what it is told when it is asked."""
