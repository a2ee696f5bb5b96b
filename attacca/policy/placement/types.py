"""What a placement policy is told, and what it answers: which worker gets the function's next sandbox."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

import msgspec

from attacca.kernel import protocol
from attacca.kernel.chance import Chance
from attacca.model.machine import Machine
from attacca.model.resources import Resources


class Near(IntEnum):
    """What of a revision a worker has already; the more, the quicker a start."""

    NOTHING = 0
    CODE = 1  # its code, bundle or image lies there
    TEMPLATE = 2  # and a template of it waits to be forked
    PEER = 3  # part of a workflow: another part of it, with which it exchanges events, runs there


class Worker(Protocol):
    """One worker, as whoever places knows it now: each keeps showing what is so at the moment of looking."""

    @property
    def name(self) -> str: ...
    @property
    def capacity(self) -> Resources:
        """Of all its sandboxes; infinite of what it does not count."""

    @property
    def reserved(self) -> Resources:
        """Of it, by sandboxes that are there or ordered, and by all else that holds of it."""

    @property
    def machine(self) -> Machine:
        """What it is; where nobody has said, one with as many cores as it has."""

    @property
    def is_cordoned(self) -> bool:
        """It gets nothing new."""


class Ask(msgspec.Struct, frozen=True):
    """The sandbox that needs a worker. `sandboxes` and `near` are by worker, those that have none left out: whoever
    asks keeps them as things change, and hands them in as they are; a policy reads them before it answers."""

    function: str
    resources: Resources
    sandboxes: Mapping[str, int] = {}  # of the function, there or ordered
    near: Mapping[str, Near] = {}  # of the revision
    avoid: tuple[str, ...] = ()  # where it has just failed, or is already on its way


class Placed(NamedTuple):
    worker: str
    why: str


class NoRoom(NamedTuple):
    """Nobody can have it now."""

    why: str


class Placer(Protocol):
    """What is remembered in order to decide. Its answers never depend on the order of its workers."""

    def among(self, workers: Sequence[Worker]) -> None:
        """From now on it is these, which may be none: somebody joined or left."""

    def place(self, now: float, ask: Ask) -> Placed | NoRoom:
        """Who is cordoned, to be avoided, or has no room is not among the answers; if there is anybody else, one is
        found. Equals go by name or by lot. The asker reserves what was placed before it asks again."""


class Placement(Protocol):
    """A policy: frozen parameters that make a placer."""

    def fresh(self, chance: Chance) -> Placer: ...


PLACER: Final[protocol.Wanted] = {"among": ("workers",), "place": ("now", "ask")}


def begin(policy: Placement, chance: Chance) -> Placer:
    """A placer, which has all that it will be asked for.

    Raises:
        BadConfig: it has not.
    """
    whose = f"placement policy {type(policy).__name__}"
    hint = "docs/policies.md says what each is for; copy the shape of attacca/policy/placement/round_robin.py"
    protocol.check(policy, {"fresh": ("chance",)}, {}, whose, hint)
    placer = policy.fresh(chance)
    protocol.check(placer, PLACER, {}, whose, hint)
    return placer
