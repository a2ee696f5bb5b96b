"""One instance of a module, and how its handlers are called: step by step as EDGELESS calls them.

What is handed over lies in memory that the module has allocated, and frees or clears as it likes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import wasmtime

from .known import Known

MESSAGE_BYTES = 16 << 20  # as the worker bounds it
TABLE_ELEMENTS = 1 << 20
NO_REPLY, A_REPLY, FAILED = 0, 1, 2
OUT_OF_MEMORY = "it named a place outside of its memory"


class Trap(Exception):
    """The instance is over: its module went where none may go. The message says where."""


class CallError(Exception):
    """The module answered a call with an error; the instance lives on."""


class Watching(Protocol):
    """See `watch.Watch`."""

    def begin(self, limit_s: float) -> None: ...
    def end(self) -> float: ...


class World(NamedTuple):
    """What an instance runs in; its linker has what it may import."""

    engine: wasmtime.Engine
    linker: wasmtime.Linker
    watch: Watching


class Guest:
    """One instance of a module. Its handlers are called as EDGELESS calls them, and what they call is sent on."""

    def __init__(self, ctx: Any, module: wasmtime.Module, world: World, memory_bytes: int, limit_s: float) -> None:
        """`limit_s`: how long a handler may run."""
        self.ctx, self._watch, self._limit_s = ctx, world.watch, limit_s
        self.store = wasmtime.Store(world.engine)
        self.store.set_limits(memory_size=memory_bytes, table_elements=TABLE_ELEMENTS, instances=1, memories=1)
        self.known = Known()
        here[:] = [self]
        self.store.set_epoch_deadline(1)
        exports = self._watched(lambda: world.linker.instantiate(self.store, module)).exports(self.store)
        self.memory: Any = exports["memory"]
        self.alloc: Any = exports["edgeless_mem_alloc"]
        self._free: Any = exports["edgeless_mem_free"]
        self._clear: Any = exports["edgeless_mem_clear"]
        names = ("init", "cast", "call", "stop")
        self._init, self._cast, self._call, self._stop = (exports[f"handle_{name}_asm"] for name in names)

    def __repr__(self) -> str:
        return f"<Guest of {self.memory.size(self.store)} pages, {self.known}>"

    def init(self, payload: bytes | None, state: bytes | None) -> None:
        def run() -> None:
            data, size = self._given(payload)
            kept, kept_size = self._given(state)
            self._init(self.store, data, size, kept, kept_size)
            self._release((data, size), (kept, kept_size))

        self._watched(run)

    def cast(self, source: str, message: bytes) -> None:
        def run() -> None:
            node, component, data = self._event(source, message)
            self._cast(self.store, node, component, data, len(message))
            self._release((component, 16), (node, 16), (data, len(message)))

        self._watched(run)

    def call(self, source: str, message: bytes) -> bytes | None:
        def run() -> bytes | None:
            node, component, data = self._event(source, message)
            where, size = self.alloc(self.store, 4), self.alloc(self.store, 4)
            what, reply = self._call(self.store, node, component, data, len(message), where, size), None
            if what == A_REPLY:  # at once: it may lie in memory that the module has let go of
                reply = self._read(self._number(where), self._number(size))
            self._release((component, 16), (node, 16), (where, 4), (size, 4), (data, len(message)))
            if what not in (NO_REPLY, A_REPLY):
                raise CallError("the module answered with an error")
            return reply

        reply: bytes | None = self._watched(run)
        return reply

    def stop(self) -> None:
        def run() -> None:
            self._clear(self.store)
            self._stop(self.store)

        self._watched(run)

    def waiting(self, wait: Callable[[], Any]) -> Any:
        """What it waits for others is not its own time."""
        left = self._watch.end()
        try:
            return wait()
        finally:
            self._watch.begin(max(left, 0.0))

    def _watched(self, run: Callable[[], Any]) -> Any:
        self.store.set_epoch_deadline(1)
        self._watch.begin(self._limit_s)
        try:
            return run()
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            raise Trap(self._why(str(error))) from None
        except IndexError:
            raise Trap(OUT_OF_MEMORY) from None
        finally:
            self._watch.end()

    def _why(self, text: str) -> str:
        _, _, cause = text.partition("Caused by:")
        cause = " ".join((cause or text).split())[:500]
        return f"it ran longer than {self._limit_s:g} s (timeout_s)" if "interrupt" in cause else cause

    def _event(self, source: str, message: bytes) -> tuple[int, int, int]:
        self._clear(self.store)
        node, component = self.known.ids(source)
        component_at, node_at, data_at = self._put(component), self._put(node), self._put(message)
        return node_at, component_at, data_at

    def _given(self, data: bytes | None) -> tuple[int, int]:
        return (0, 0) if data is None else (self._put(data), len(data))

    def _put(self, data: bytes) -> int:
        at: int = self.alloc(self.store, len(data)) & 0xFFFFFFFF
        self.memory.write(self.store, data, at)
        return at

    def _release(self, *pieces: tuple[int, int]) -> None:
        for at, size in pieces:
            if size:
                self._free(self.store, at, size)

    def _number(self, at: int) -> int:
        return int.from_bytes(self._read(at, 4), "little")

    def _read(self, at: int, size: int) -> bytes:
        return read(self, self.store, at, size)


here: list[Guest] = []  # the one of this sandbox


def read(guest: Guest, store: Any, at: int, size: int) -> bytes:
    """
    Raises:
        Trap: there is no such place.
    """
    at, size = at & 0xFFFFFFFF, size & 0xFFFFFFFF
    if at + size > guest.memory.data_len(store):
        raise Trap(OUT_OF_MEMORY)
    return bytes(guest.memory.read(store, at, at + size))


def text(guest: Guest, caller: wasmtime.Caller, at: int, size: int, most: int = MESSAGE_BYTES) -> bytes:
    """What has to be UTF-8.

    Raises:
        Trap: it is not, or is too long.
    """
    if size & 0xFFFFFFFF > most:
        raise Trap(f"it sent {size & 0xFFFFFFFF} bytes where {most} are the most")
    data = read(guest, caller, at, size)
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Trap("what it sent is not UTF-8") from None
    return data


def addressed(guest: Guest, caller: wasmtime.Caller, node: int, instance: int) -> str | None:
    return guest.known.address(read(guest, caller, node, 16), read(guest, caller, instance, 16))
