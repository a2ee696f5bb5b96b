"""What functions are compiled by: commands of WASI 0.1, and components that are commands or handle bodies."""

from typing import Any

import wasmtime
from wasmtime import component

STACK_BYTES = 1 << 20
COMMAND, RUN, HANDLE, WEB = b"c", b"r", b"h", b"w"  # a core module; a component's wasi:cli/run; `handle`; wasi:http
START, HANDLE_NAME, RUN_NAME, WEB_NAME = "_start", "handle", "wasi:cli/run@0.2.", "wasi:http/incoming-handler@0.2."
PREVIEW_1 = ("wasi_snapshot_preview1", "wasi_unstable")
ANSWER = "attacca:function/answer"  # by which a component says more of its answer than its body
GIVEN = (
    ANSWER,
    "wasi:io/",
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:filesystem/",
    "wasi:sockets/",
    "wasi:http/types@",
)
WHAT = "a function is a command of WASI 0.1 or 0.2, or a component that exports handle or wasi:http/incoming-handler"
MOST = 1000  # characters of what a compiler says
OF_EVENTS = "it is an event function: name it in a workflow.toml"


def _engine() -> wasmtime.Engine:
    config = wasmtime.Config()
    config.parallel_compilation = False  # whose threads no fork would have
    config.max_wasm_stack = STACK_BYTES
    config.wasm_component_model = True
    config.wasm_threads = False
    config.wasm_memory64 = False
    return wasmtime.Engine(config)


ENGINE = _engine()


def core_linker() -> wasmtime.Linker:
    linker = wasmtime.Linker(ENGINE)
    linker.define_wasi()
    return linker


def compiled(source: bytes) -> bytes:
    """What it is, in one byte, and machine code.

    Raises:
        ValueError: no function can be made of it; with why.
    """
    try:
        if source[4:8] == b"\1\0\0\0":
            return _command(source)
        made = component.Component(ENGINE, source)
        return _exported(made) + bytes(made.serialize())
    except wasmtime.WasmtimeError as error:
        raise ValueError(f"it cannot be compiled: {said(error)}") from None


def said(error: Exception) -> str:
    """Of wasmtime, in one line: its last cause says most."""
    text = str(error)
    _, _, causes = text.partition("Caused by:")
    return " ".join((causes or text).split())[:MOST]


def _command(source: bytes) -> bytes:
    made = wasmtime.Module(ENGINE, source)
    for one in made.imports:
        if one.module not in PREVIEW_1:
            hint = OF_EVENTS if one.module == "env" and f"{one.name}".endswith("_asm") else WHAT
            raise ValueError(f"it imports {one.name!r} of {one.module!r}, which is not there: {hint}")
    start = next((one.type for one in made.exports if one.name == START), None)
    if not isinstance(start, wasmtime.FuncType) or start.params or start.results:
        hint = OF_EVENTS if any(one.name == "handle_init_asm" for one in made.exports) else WHAT
        raise ValueError(f"it does not export {START}(), which a command begins with: {hint}")
    core_linker().instantiate_pre(made)  # whether what it imports is as it says
    return COMMAND + bytes(made.serialize())


def _exported(made: component.Component) -> bytes:
    with made.type as kind:
        imports, exports = kind.imports(ENGINE), kind.exports(ENGINE)
    strange = next((name for name in imports if not name.startswith(GIVEN)), None)
    if strange is not None:
        raise ValueError(f"it imports {strange}, which is not there: {WHAT}")
    if HANDLE_NAME in exports:
        _expect_handle(exports[HANDLE_NAME])
        return HANDLE
    if any(name.startswith(RUN_NAME) for name in exports):
        return RUN
    if any(name.startswith(WEB_NAME) for name in exports):
        return WEB
    raise ValueError(f"it exports {', '.join(sorted(exports)) or 'nothing'}: {WHAT}")


def _expect_handle(exported: Any) -> None:
    found = exported.ty
    wanted = "handle: func(body: list<u8>) -> result<list<u8>, string>"
    if not isinstance(found, component.FuncType) or not _is_handle(found):
        raise ValueError(f"its `handle` is another one: it has to be `{wanted}`")


def _is_handle(found: component.FuncType) -> bool:
    answer = found.result
    return (
        len(found.params) == 1
        and _is_bytes(found.params[0][1])
        and isinstance(answer, component.ResultType)
        and _is_bytes(answer.ok)
        and isinstance(answer.err, component.String)
    )


def _is_bytes(kind: Any) -> bool:
    return isinstance(kind, component.ListType) and isinstance(kind.element, component.U8)
