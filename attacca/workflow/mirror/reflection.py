"""Decides what is written into a mirror: at first and after every loss all of it, and then what differs."""

from collections.abc import Iterable, Mapping

import msgspec

from attacca.model.events import Samples
from attacca.model.samples import Measure
from attacca.workflow.core.state import DomainState
from attacca.workflow.mirror import keys
from attacca.workflow.mirror.config import Shape
from attacca.workflow.mirror.writes import KINDS, Append, Drop, Score, Set, Write


class Measured(msgspec.Struct, frozen=True, gc=False):
    """Something of an instance, by its name. `at`: seconds since 1970; `value`: as it is shown."""

    instance: str
    metric: str
    at: float
    value: str


METRICS = {
    Measure.INSTANTIATE: "function_instantiate_time", Measure.INIT: "function_init_time",
    Measure.CAST: keys.EXECUTION, Measure.CALL: keys.EXECUTION, Measure.TRANSFER: "function_transfer_time",
    Measure.STOP: "function_stop_time",
}  # fmt: skip


def measured(told: Samples) -> list[Measured]:
    """As EDGELESS names it; what event functions tell is named by its target."""
    found = [Measured(one.instance, METRICS[one.measure], one.at, keys.fixed(one.seconds)) for one in told.samples]
    return found + [
        Measured(one.instance, one.target.replace(":", "_"), one.at, one.text) for one in told.entries if one.target
    ]


class Reflection:
    """`prefix` stands before the name of every key."""

    def __init__(self, prefix: str, shape: Shape) -> None:
        self._prefix, self._shape = prefix, shape
        self._written: dict[str, str] | None = None  # texts that are there, without the prefix; None: who knows
        self._made: keys.Made = {}
        self._looks: dict[str, object] = {}  # by node, the load that was written last

    def __repr__(self) -> str:
        return f"<Reflection {'of nothing' if self._written is None else f'{len(self._written)} texts'}>"

    @property
    def is_lost(self) -> bool:
        return self._written is None

    def lose(self) -> None:
        """What is there now is not known."""
        self._written = None
        self._looks.clear()

    def writes(
        self, state: DomainState, measured: Iterable[Measured], wall: float, owned: Mapping[str, str]
    ) -> list[Write]:
        """`owned`: where it was lost, the keys that are ours from before, and of what kind each is."""
        told = self._texts(state, wall)
        told += keys.healths(self._new(state), self._shape, wall)
        for one in measured:
            told += keys.samples(one.instance, one.metric, one.at, one.value, self._shape)
        ours = [self._placed(one) for one in told]
        return [*stale(owned, ours, self._kept()), *ours]

    def _texts(self, state: DomainState, wall: float) -> list[Write]:
        now = keys.texts(state, self._shape, self._made)
        before = self._written or {}
        changed = [key for key, value in now.items() if before.get(key) != value]
        gone = [key for key in before if key not in now and not key.endswith(f":{keys.LAST_UPDATE}")]
        times = keys.updates([*changed, *gone], self._shape, wall)
        if self._written is None:
            times = keys.updates([f"{category}:" for category in keys.CATEGORIES], self._shape, wall)
        kept = {key: value for key, value in before.items() if key.endswith(f":{keys.LAST_UPDATE}")}
        self._written = {**now, **kept, **times}
        left = [Drop(f"{keys.HEALTH}:{key.rpartition(':')[2]}") for key in gone if key.startswith(keys.CAPABILITIES)]
        return [
            *(Drop(key) for key in gone), *left,
            *(Set(key, now[key]) for key in changed),
            *(Set(key, value) for key, value in times.items()),
        ]  # fmt: skip

    def _new(self, state: DomainState) -> DomainState:
        """Nodes whose load is another than the one that was written: it is told once."""
        fresh = tuple(node for node in state.nodes if self._looks.get(node.name) is not node.load)
        self._looks = {node.name: node.load for node in state.nodes}
        return msgspec.structs.replace(state, nodes=fresh)

    def _kept(self) -> set[str]:
        return {self._prefix + key for key in self._written or ()}

    def _placed(self, write: Write) -> Write:
        return msgspec.structs.replace(write, key=self._prefix + write.key)


def stale(owned: Mapping[str, str], writes: Iterable[Write], kept: set[str]) -> list[Write]:
    """Ours from before that must go first: what is not there any more, or is of another kind now."""
    kinds = {write.key: KINDS[type(write)] for write in writes if isinstance(write, Set | Append | Score)}
    return [
        Drop(key)
        for key, kind in owned.items()
        if (key not in kept and key not in kinds) or kinds.get(key, kind) != kind
    ]
