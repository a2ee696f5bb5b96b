"""A mirror's database in memory, for tests; `data` has texts, lists of texts, and dicts of scores by member."""

from collections.abc import Mapping, Sequence

from attacca.errors import StateUnavailable
from attacca.workflow.mirror.types import INTENT, INTENTS, SERIES_MOST, VALUE_MOST, Popped
from attacca.workflow.mirror.writes import KINDS, Append, Drop, Score, Set, Write

Value = str | list[str] | dict[str, float]
KIND_OF = {str: "string", list: "list", dict: "zset"}


class MemoryGlass:
    """A `types.Glass`. `is_gone`: it cannot be reached."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self.data: dict[str, Value] = {}
        self._owned: dict[str, str] = {}
        self._run = ""
        self.is_gone = False

    def __repr__(self) -> str:
        return f"<MemoryGlass {len(self.data)} keys, {len(self._owned)} of them ours>"

    async def begin(self, run: str) -> Mapping[str, str]:
        self._expect()
        self._run = run
        return dict(self._owned)

    async def write(self, run: str, writes: Sequence[Write], keep_s: float) -> int | None:
        self._expect()
        if run != self._run:
            return None
        return sum(not self._perform(one, keep_s) for one in writes)

    async def pop(self) -> Popped | None:
        self._expect()
        waiting = self.data.get(self._prefix + INTENTS)
        if not isinstance(waiting, list) or not waiting:
            return None
        key = waiting.pop(0).removeprefix(self._prefix)
        return Popped(key.encode(), self._taken(key))

    async def take(self, key: bytes) -> bytes | None:
        self._expect()
        return self._taken(key.decode())

    async def close(self) -> None: ...

    def empty(self) -> None:
        """As a server that was started anew, or that somebody flushed."""
        self.data.clear()
        self._owned.clear()
        self._run = ""

    def _expect(self) -> None:
        if self.is_gone:
            raise StateUnavailable("the database is gone")

    def _taken(self, key: str) -> bytes | None:
        place = self._prefix + key
        if not key.startswith(INTENT) or not isinstance(self.data.get(place), str):
            return None
        return str(self.data.pop(place)).encode()[: VALUE_MOST + 1]

    def _perform(self, write: Write, keep_s: float) -> bool:
        if isinstance(write, Drop):
            self.data.pop(write.key, None)
            self._owned.pop(write.key, None)
            return True
        kind, there = KINDS[type(write)], self.data.get(write.key)
        if not isinstance(write, Set) and there is not None and KIND_OF[type(there)] != kind:
            return False
        match write:
            case Set():
                self.data[write.key] = write.value
            case Append():
                self.data[write.key] = [*(there or ()), write.value][-SERIES_MOST:]
            case Score():
                scores = {**(there or {}), write.member: write.at}  # type: ignore[dict-item]  # of its kind
                young = {member: at for member, at in scores.items() if at > write.at - keep_s}
                self.data[write.key] = dict(sorted(young.items(), key=lambda one: (one[1], one[0]))[-SERIES_MOST:])
        if isinstance(write, Set) or (isinstance(write, Score) and not write.is_fleeting):
            self._owned[write.key] = kind
        return True
