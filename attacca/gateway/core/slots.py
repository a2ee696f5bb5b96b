"""One function whose sandboxes control makes: which of them have a free slot, and who waits for one.

A slot is taken in the step that promises it, and the count is this gateway's own. Where several gateways use a sandbox
its worker has the last word: it refuses what is beyond, which is how a gateway learns that others have its slots.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from attacca.gateway.core.workers import WorkerHandle
from attacca.model.endpoints import Endpoint
from attacca.model.invocation import Timing, timed
from attacca.policy.slots.types import Free

Slotter = Callable[[], Free]  # what it makes chooses among those that have a free slot
T = TypeVar("T", bound=Hashable)


class SandboxHandle(Generic[T]):
    """A sandbox that control has published. `handle` is None while its worker is not there, or drains."""

    __slots__ = ("endpoint", "handle", "id", "is_full", "is_new", "limit", "served", "slots", "taken")

    def __init__(self, endpoint: Endpoint, slots: "Slots[T]") -> None:
        self.endpoint = endpoint
        self.id = endpoint.sandbox
        self.limit = endpoint.slots
        self.slots: Slots[T] | None = slots  # None: it is not published any more
        self.handle: WorkerHandle | None = None
        self.taken = 0  # by invocations of this gateway
        self.served = 0  # of them, so far
        self.is_full = False  # as its worker has said: others have what we think is free
        self.is_new = True  # nothing of ours has been sent there yet

    def __repr__(self) -> str:
        state = " full," if self.is_full else "" if self.handle is not None else " out of reach,"
        return f"<SandboxHandle {self.id} on {self.endpoint.worker}:{state} {self.taken} of {self.limit} slots>"

    @property
    def is_free(self) -> bool:
        return self.handle is not None and self.taken < self.limit and not self.is_full


class Slots(Generic[T]):
    """`waiting` are in the order in which they came; one that is sent back goes before them."""

    __slots__ = ("_fresh", "free", "is_changed", "name", "revision", "sandboxes", "told", "waiting")

    def __init__(self, name: str, fresh: Slotter) -> None:
        self.name = name
        self._fresh = fresh
        self.revision = ""  # the current one's id; only its sandboxes are used
        self.sandboxes: dict[str, SandboxHandle[T]] = {}  # all that are published
        self.free: Free = fresh()  # those with a free slot that can be used
        self.waiting: OrderedDict[T, None] = OrderedDict()
        self.is_changed = False  # since control was told
        self.told = 0  # how many waited then

    def __repr__(self) -> str:
        taken = sum(one.taken for one in self.sandboxes.values())
        return (
            f"<Slots {self.name}: {taken} taken in {len(self.sandboxes)} sandboxes, {len(self.free)} with a free one, "
            f"{len(self.waiting)} wait>"
        )

    def use(self, revision: str) -> None:
        """From now on its sandboxes."""
        self.revision = revision
        self.free = self._fresh()
        for sandbox in self.sandboxes.values():
            self.look(sandbox)

    def add(self, endpoint: Endpoint) -> SandboxHandle[T]:
        sandbox = self.sandboxes[endpoint.sandbox] = SandboxHandle(endpoint, self)
        return sandbox

    def remove(self, sandbox: SandboxHandle[T]) -> None:
        del self.sandboxes[sandbox.id]
        self.free.discard(sandbox.id)
        sandbox.slots = None

    def look(self, sandbox: SandboxHandle[T]) -> None:
        """Something about it has changed: can it be given out?"""
        if sandbox.is_free and sandbox.endpoint.revision == self.revision:
            self.free.add(sandbox)
        else:
            self.free.discard(sandbox.id)

    def take(self) -> tuple[SandboxHandle[T], str]:
        """A slot of one, and why of that one; of the only one there is nothing to say."""
        free = self.free
        why = ""
        if len(free) > 1:
            name, why = free.pick()
        else:
            name, _ = free.pick()
        sandbox = self.sandboxes[name]
        sandbox.taken += 1
        sandbox.served += 1
        if sandbox.taken < sandbox.limit:
            free.add(sandbox)
        else:
            free.discard(name)
        return sandbox, why


def waited(waited_ms: float, made: Timing) -> Timing:
    """Of one that is the first in a new sandbox: what its making took is cut from the front where it came later; what
    is left went by until control had decided, and its order and its answer had come."""
    cut = made.making.within(waited_ms)
    return timed(cut, 0.0, waited_ms - cut.whole)
