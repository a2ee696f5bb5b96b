"""The workers as places for sandboxes: what each has, what of it is promised, and what it has been told to make."""

from attacca.control.core.cluster.scaled import Instance
from attacca.model.machine import Machine
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView


class Host:
    """One worker. It is a `policy.placement.types.Worker`.

    `promised` is what its sandboxes hold by our own books; `others`, what it had in use besides when it was last heard.
    """

    __slots__ = ("asked", "capacity", "instances", "is_asked", "is_cordoned", "is_draining", "is_shut", "is_silent",
                 "machine", "name", "others", "promised", "reserved", "spare")  # fmt: skip

    def __init__(self, view: WorkerView, machine: Machine | None = None) -> None:
        self.name = view.name
        self.capacity = view.capacity
        self.machine = machine or Machine(processors=view.cores, cores=view.cores)
        self.instances: dict[str, Instance] = {}
        self.promised = self.others = self.reserved = NOTHING
        self.is_draining = view.draining
        self.is_silent = False
        self.is_cordoned = False  # any of these; a placer looks at many
        self.is_shut = False  # it had no room for what we thought it had; until it is heard of, or something goes
        self.is_asked = False  # which of them it has, and has not answered
        self.asked = 0  # so many orders had been given when it was asked which of them it has; 0: it was not
        self.hear(view)

    def __repr__(self) -> str:
        state = "silent" if self.is_silent else "draining" if self.is_draining else "shut" if self.is_shut else "open"
        held, whole = self.reserved.memory_mb, self.capacity.memory_mb
        return f"<Host {self.name} {state}: {len(self.instances)} sandboxes, {held} of {whole} MB reserved>"

    def hear(self, view: WorkerView) -> None:
        self.capacity = view.capacity
        self.is_draining = view.draining
        self.is_silent = self.is_shut = False
        self.is_cordoned = self.is_draining
        self.others = view.used.beyond(self.promised)
        self.spare = view.spare  # of those others: what it lets go where room is wanted; until it is heard of again
        self.reserved = self.promised + self.others

    def fall_silent(self) -> None:
        self.is_silent = self.is_cordoned = True

    def shut(self) -> None:
        """It has refused."""
        self.is_shut = self.is_cordoned = True

    def add(self, instance: Instance) -> None:
        self.instances[instance.id] = instance
        self._promise(self.promised + instance.resources)

    def remove(self, instance: Instance) -> None:
        del self.instances[instance.id]
        self.is_shut = False
        self.is_cordoned = self.is_silent or self.is_draining
        self._promise(self.promised - instance.resources)

    def _promise(self, promised: Resources) -> None:
        self.promised = promised
        self.reserved = promised + self.others
