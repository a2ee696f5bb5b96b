"""A module of WebAssembly as an event function, on wasmtime: eight imports, eight exports, as EDGELESS has them.

A sandbox of it is made before anybody needs it, warmed up with a module of our own, and then given to one instance: its
INIT brings the module. Or it is given a module only to compile it.
"""

import struct
from typing import Any

import wasmtime

from .guest import Guest, Watching, World, here
from .imports import linker_of
from .watch import Watch

# INIT's payload: what is to be done, bytes of linear memory, seconds that a handler may run, whether there is a payload
# and how long it is; then the payload, then the module, compiled unless that is to be done. What was prepared is not
# brought again.
ENVELOPE = struct.Struct("<BQdBI")
RUN, COMPILE, PREPARE, COMPILE_FUNCTION, COMPILE_PURE = 0, 1, 2, 3, 4
STACK_BYTES, LONG_S = 512 << 10, 60.0
TIMES = 12  # after which Python has specialized what runs, and writes no more into its code
WARM = """(module
  (import "env" "telemetry_log_asm" (func $log (param i32 i32 i32 i32 i32)))
  (import "env" "cast_asm" (func $cast (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "edgeless_mem_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "edgeless_mem_free") (param i32 i32))
  (func (export "edgeless_mem_clear"))
  (func (export "handle_init_asm") (param i32 i32 i32 i32)
    (call $log (i32.const 3) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
  (func (export "handle_cast_asm") (param i32 i32 i32 i32)
    (call $cast (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 1)))
  (func (export "handle_call_asm") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "handle_stop_asm")))"""


class Stale(Exception):
    """What was compiled is not for this machine, or not by this wasmtime."""


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.parallel_compilation = False  # whose threads no fork would have
    config.memory_init_cow = False  # what is written when it is made need not be when it runs
    config.max_wasm_stack = STACK_BYTES
    config.wasm_threads = False
    config.wasm_memory64 = False
    return wasmtime.Engine(config)


ENGINE = _engine()
LINKER = linker_of(ENGINE)
COMPILED_WARM = bytes(wasmtime.Module(ENGINE, bytes(wasmtime.wat2wasm(WARM))).serialize())
watches: list[Watching] = []
prepared: list[Guest] = []  # for who comes next


class Silent:
    """The context of what runs for nobody."""

    self_id = "nobody@nowhere"

    def log(self, *_: object) -> None: ...
    def cast(self, *_: object) -> None: ...


class Patient:
    """A watch that watches nothing: a thread would not outlive the fork."""

    def begin(self, limit_s: float) -> None: ...

    def end(self) -> float:
        return 0.0


def after_fork() -> None:
    """In each sandbox, before it is given to somebody. What runs for the first time takes ten times as long, because
    memory that was the template's has to be copied."""
    watches[:] = [Watch(ENGINE)]
    rehearse(Silent())


def rehearse(ctx: Any) -> None:
    envelope = ENVELOPE.pack(RUN, 1 << 20, LONG_S, 1, 4) + b"warm" + COMPILED_WARM
    for _ in range(TIMES):
        one = Wasm()
        one.init(ctx, envelope, b"state")
        one.cast(None, "a@b", b"warm")
        one.call(None, "a@b", b"warm")
        one.stop(None)
    here.clear()


def _guest(ctx: Any, module: wasmtime.Module, memory_bytes: int, limit_s: float) -> Guest:
    return Guest(ctx, module, World(ENGINE, LINKER, watches[0]), memory_bytes, limit_s)


class Wasm:
    """The event function that the worker's agent finds here. `compiled`: it was asked for that alone."""

    def __init__(self) -> None:
        self.compiled: bytes | None = None
        self.guest: Guest

    def __repr__(self) -> str:
        return f"<Wasm {'compiled' if self.compiled else 'runs'}>"

    def init(self, ctx: Any, envelope: bytes, state: bytes | None) -> None:
        task, memory_bytes, limit_s, has_payload, size = ENVELOPE.unpack_from(envelope)
        at = ENVELOPE.size + size
        payload, module = bytes(envelope[ENVELOPE.size : at]), bytes(envelope[at:])
        if task == COMPILE:
            self.compiled = _compiled(module)
            return
        if task in (COMPILE_FUNCTION, COMPILE_PURE):
            from .compiling import compiled  # here, because no instance of an event function needs it

            self.compiled = compiled(module, is_pure=task == COMPILE_PURE)
            return
        if not watches:  # made from nothing, and not from a template
            after_fork()
        if task == PREPARE:
            rehearse(ctx)  # nobody hears what it says until it is an instance
            prepared[:] = [_guest(Silent(), _deserialized(module), memory_bytes, limit_s)]
            return
        self.guest = prepared.pop() if prepared else _guest(ctx, _deserialized(module), memory_bytes, limit_s)
        self.guest.ctx = ctx
        self.guest.init(payload if has_payload else None, state)

    def cast(self, _: Any, source: str, message: bytes) -> None:
        self.guest.cast(source, bytes(message))

    def call(self, _: Any, source: str, message: bytes) -> bytes | None:
        return self.compiled or self.guest.call(source, bytes(message))

    def stop(self, _: Any) -> None:
        self.guest.stop()


def _compiled(module: bytes) -> bytes:
    try:
        return bytes(wasmtime.Module(ENGINE, module).serialize())
    except wasmtime.WasmtimeError as error:
        raise ValueError(f"it cannot be compiled: {' '.join(str(error).split())[:1000]}") from None


def _deserialized(module: bytes) -> wasmtime.Module:
    try:
        return wasmtime.Module.deserialize(ENGINE, module)
    except wasmtime.WasmtimeError as error:
        raise Stale(str(error)) from None


def before_template() -> None:
    watches[:] = [Patient()]
    rehearse(Silent())
    watches.clear()
