"""What is done to whom, and what must hold all the same."""

from typing import NamedTuple

PLANES = ("leader", "gateway", "worker", "store")
HOWS = ("kill", "stop", "cut", "mute", "deaf")  # mute: nothing comes from it; deaf: nothing comes to it
HOLD_S = {"kill": 3.0, "stop": 10.0, "cut": 10.0, "mute": 10.0, "deaf": 10.0}  # until it is started, goes on, or healed


class Fault(NamedTuple):
    """The same is done to all of `whom` at once; `hold_s`: for so long."""

    name: str
    how: str
    whom: tuple[str, ...]
    hold_s: float


class Bar(NamedTuple):
    failed: int | None = None
    calls_s: float | None = None  # until invocations are as before
    acts_s: float | None = None  # until control has workers do something


SINGLE = [Fault(f"{plane}:{how}", how, (plane,), HOLD_S[how]) for plane in PLANES for how in HOWS]
PAIRS = [
    Fault(f"{one}+{other}:{how}", how, (one, other), HOLD_S[how])
    for index, one in enumerate(PLANES)
    for other in PLANES[index + 1 :]
    for how in ("kill", "cut")
]
OF_STORE = [
    Fault("store:gone", "kill", ("store",), 60.0),
    Fault("store:full", "fill", ("store",), 10.0),  # it takes no write
    Fault("store:slow", "slow", ("store",), 10.0),  # it stands still nine times out of ten
]
FAULTS = {fault.name: fault for fault in [*SINGLE, *PAIRS, *OF_STORE]}
BARS = {
    "leader:kill": Bar(failed=0, acts_s=5.0),
    "worker:kill": Bar(failed=0, calls_s=3.5),
    "store:kill": Bar(failed=0),
    "store:gone": Bar(failed=0),
    "store:full": Bar(failed=0),
    "store:slow": Bar(failed=0),
    "store:stop": Bar(failed=0),
    "store:cut": Bar(failed=0),
}
