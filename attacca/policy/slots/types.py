"""What a slot policy is told, and what it answers: which of a function's sandboxes with a free slot gets an invocation.

It is a family beside balancing, as the facts are others. A worker takes whatever it is sent, and queues it: what is
known of it is a load that may be old. A sandbox takes so many and no more: it can only be picked while it has a free
slot, which the gateway knows by its own count, and where none has, nobody is asked.
"""

from typing import Final, NamedTuple, Protocol

from attacca.kernel import protocol
from attacca.kernel.chance import Chance


class Sandbox(Protocol):
    """One, as the asking gateway knows it now."""

    @property
    def id(self) -> str: ...
    @property
    def limit(self) -> int:
        """Invocations that it takes at once; at least 1."""

    @property
    def taken(self) -> int:
        """Of them, by this gateway's invocations."""

    @property
    def served(self) -> int:
        """Invocations that this gateway has handed to it so far."""


class Chosen(NamedTuple):
    sandbox: str
    why: str


class Free(Protocol):
    """The sandboxes of one function that have a free slot. One that is picked is told of again at once: it has one left
    (`add`), or has not (`discard`)."""

    def __len__(self) -> int: ...
    def add(self, sandbox: Sandbox) -> None:
        """It has a free slot; or had one, and something else about it has changed."""

    def discard(self, sandbox: str) -> None:
        """It has none, or is gone; perhaps it had none before."""

    def pick(self) -> Chosen:
        """One of those that are here; only called while there is one."""


class Slotting(Protocol):
    """A policy: frozen parameters that make what remembers, for each function."""

    def fresh(self, chance: Chance) -> Free: ...


FREE: Final[protocol.Wanted] = {
    "__len__": (),
    "add": ("sandbox",),
    "discard": ("sandbox",),
    "pick": (),
}


def checked(policy: Slotting, chance: Chance) -> Slotting:
    """
    Raises:
        BadConfig: it, or what it makes, lacks something that it will be asked for.
    """
    whose = f"slot policy {type(policy).__name__}"
    hint = "docs/policies.md says what each is for; copy the shape of attacca/policy/slots/latest.py"
    protocol.check(policy, {"fresh": ("chance",)}, {}, whose, hint)
    protocol.check(policy.fresh(chance), FREE, {}, whose, hint)
    return policy
