"""What a module may call: sent on to the worker. Texts have to be UTF-8, and every place lie within its memory."""

from collections.abc import Callable
from typing import Any

import wasmtime

from .guest import A_REPLY, FAILED, NO_REPLY, Guest, Trap, addressed, here, text

TARGET_BYTES, DELAY_S = 300, 86_400.0  # as the worker bounds them
LEVELS = {1: "error", 2: "warning", 3: "info", 4: "debug", 5: "trace"}
I32, I64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()


def cast(caller: wasmtime.Caller, target: int, target_size: int, data: int, size: int) -> None:
    (guest,) = here
    output = text(guest, caller, target, target_size, TARGET_BYTES).decode()
    guest.ctx.cast(output, text(guest, caller, data, size))


def cast_raw(caller: wasmtime.Caller, node: int, instance: int, data: int, size: int) -> None:
    (guest,) = here
    address, message = addressed(guest, caller, node, instance), text(guest, caller, data, size)
    if address is None:
        guest.ctx.log("it casts to an id that it was told by nobody", "warning")
    else:
        guest.ctx.cast_to(address, message)


def delayed_cast(caller: wasmtime.Caller, delay_ms: int, target: int, target_size: int, data: int, size: int) -> None:
    (guest,) = here
    seconds = (delay_ms & 0xFFFFFFFFFFFFFFFF) / 1000
    if seconds > DELAY_S:
        raise Trap(f"it delays a cast by {seconds:g} s, and may by {DELAY_S:g}")
    output = text(guest, caller, target, target_size, TARGET_BYTES).decode()
    guest.ctx.delayed_cast(seconds, output, text(guest, caller, data, size))


def call(
    caller: wasmtime.Caller, target: int, target_size: int, data: int, size: int, where: int, where_size: int
) -> int:
    (guest,) = here
    output, message = text(guest, caller, target, target_size, TARGET_BYTES).decode(), text(guest, caller, data, size)
    return _answered(guest, caller, lambda: guest.ctx.call(output, message), where, where_size)


def call_raw(
    caller: wasmtime.Caller, node: int, instance: int, data: int, size: int, where: int, where_size: int
) -> int:
    (guest,) = here
    address, message = addressed(guest, caller, node, instance), text(guest, caller, data, size)
    if address is None:
        guest.ctx.log("it calls an id that it was told by nobody", "warning")
        return FAILED
    return _answered(guest, caller, lambda: guest.ctx.call_to(address, message), where, where_size)


def _answered(
    guest: Guest, caller: wasmtime.Caller, ask: Callable[[], bytes | None], where: int, where_size: int
) -> int:
    try:
        reply = guest.waiting(ask)
    except Exception as error:
        if type(error).__name__ != "CallFailed":
            raise
        guest.ctx.log(f"a call failed: {error}", "warning")
        return FAILED
    if reply is None:
        return NO_REPLY
    at = guest.alloc(caller, len(reply)) & 0xFFFFFFFF
    guest.memory.write(caller, reply, at)
    guest.memory.write(caller, at.to_bytes(4, "little"), where & 0xFFFFFFFF)
    guest.memory.write(caller, len(reply).to_bytes(4, "little"), where_size & 0xFFFFFFFF)
    return A_REPLY


def log(caller: wasmtime.Caller, level: int, target: int, target_size: int, message: int, size: int) -> None:
    (guest,) = here
    whose, said = text(guest, caller, target, target_size), text(guest, caller, message, size)
    if level not in LEVELS:
        guest.ctx.log(f"there is no level {level}: 1 is an error, 5 a trace", "warning")
    guest.ctx.log(said.decode(), LEVELS.get(level, "error"), whose.decode())


def slf(caller: wasmtime.Caller, node: int, instance: int) -> None:
    (guest,) = here
    own = guest.known.ids(guest.ctx.self_id)
    for at, data in zip((node, instance), own, strict=True):
        guest.memory.write(caller, data, at & 0xFFFFFFFF)


def sync(caller: wasmtime.Caller, state: int, size: int) -> None:
    (guest,) = here
    data = text(guest, caller, state, size)
    try:
        guest.waiting(lambda: guest.ctx.sync(data))
    except Exception as error:
        if type(error).__name__ != "CallFailed":
            raise
        guest.ctx.log(f"its state is not kept: {error}", "error")


IMPORTS: dict[str, tuple[Callable[..., Any], list[wasmtime.ValType], list[wasmtime.ValType]]] = {
    "cast_asm": (cast, [I32] * 4, []),
    "cast_raw_asm": (cast_raw, [I32] * 4, []),
    "call_asm": (call, [I32] * 6, [I32]),
    "call_raw_asm": (call_raw, [I32] * 6, [I32]),
    "delayed_cast_asm": (delayed_cast, [I64] + [I32] * 4, []),
    "telemetry_log_asm": (log, [I32] * 5, []),
    "slf_asm": (slf, [I32] * 2, []),
    "sync_asm": (sync, [I32] * 2, []),
}


def linker_of(engine: wasmtime.Engine) -> wasmtime.Linker:
    linker = wasmtime.Linker(engine)
    for name, (function, parameters, results) in IMPORTS.items():
        kind = wasmtime.FuncType(parameters, results)
        linker.define_func("env", name, kind, function, access_caller=True)
    return linker
