"""What functions are compiled by: commands of WASI 0.1, and components that are commands or handle bodies."""

from typing import Any

import wasmtime
from wasmtime import component

from .inputs import MOST as MOST_INPUTS

STACK_BYTES = 1 << 20
COMMAND, RUN, HANDLE, WEB = b"c", b"r", b"h", b"w"  # a core module; a component's wasi:cli/run; `handle`; wasi:http
PURE, PURE_HANDLE = b"p", b"q"  # a core module, or a component with `handle`, that import nothing
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
PORT_MEMORY, PORT_ALLOCATE, PORT_HANDLE = "memory", "allocate", "handle"  # of a pure core module
PORTS: dict[str, tuple[list[Any], list[Any]] | None] = {
    PORT_MEMORY: None, PORT_ALLOCATE: (["i32"], ["i32"]), PORT_HANDLE: (["i32", "i32"], ["i64"]),
}  # fmt: skip
PURE_WHAT = "a pure function is a component that exports handle, or a module with memory, allocate and handle"
WHAT = "a function is a command of WASI 0.1 or 0.2, or a component that exports handle or wasi:http/incoming-handler"
MOST = 1000  # characters of what a compiler says
FULL = "fuel allocated for hostcalls"  # wasmtime's words for a list that is too long to come out at once
LONG = "its answer, or a piece of that, has more than 2.6 MB, the most that comes out of a component at once"
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


def compiled(source: bytes, *, is_pure: bool = False) -> bytes:
    """What it is, in one byte, and machine code. `is_pure`: it has to be that.

    Raises:
        ValueError: no function can be made of it; with why.
    """
    try:
        if source[4:8] == b"\1\0\0\0":
            return _core(source, is_pure=is_pure)
        made = component.Component(ENGINE, source)
        return _exported(made, is_pure=is_pure) + bytes(made.serialize())
    except wasmtime.WasmtimeError as error:
        raise ValueError(f"it cannot be compiled: {said(error)}") from None


def said(error: Exception) -> str:
    """Of wasmtime, in one line: its last cause says most."""
    text = str(error)
    if FULL in text:
        return LONG
    _, _, causes = text.partition("Caused by:")
    return " ".join((causes or text).split())[:MOST]


def _core(source: bytes, *, is_pure: bool) -> bytes:
    made = wasmtime.Module(ENGINE, source)
    exports = {one.name: one.type for one in made.exports}
    if is_pure:
        imported = next((f"{one.name!r} of {one.module!r}" for one in made.imports), None)
        _expect_none(imported)
        for name, shape in PORTS.items():
            _expect_port(name, exports.get(name), shape)
    elif made.imports or START in exports or PORT_HANDLE not in exports:
        return _command(made)
    return PURE + bytes(made.serialize())


def _expect_none(imported: str | None) -> None:
    if imported is not None:
        raise ValueError(
            f"it imports {imported}, and a pure function imports nothing: its input is all that it is given"
        )


def _expect_port(name: str, found: Any, shape: tuple[list[Any], list[Any]] | None) -> None:
    is_it = isinstance(found, wasmtime.MemoryType if shape is None else wasmtime.FuncType)
    if is_it and (shape is None or ([str(one) for one in found.params], [str(one) for one in found.results]) == shape):
        return
    raise ValueError(f"it does not export {name}{'' if shape is None else shown(shape)}: {PURE_WHAT}")


def shown(shape: tuple[list[Any], list[Any]]) -> str:
    return f"({', '.join(shape[0])}) -> {', '.join(shape[1])}"


def _command(made: wasmtime.Module) -> bytes:
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


def _exported(made: component.Component, *, is_pure: bool) -> bytes:
    with made.type as kind:
        imports, exports = kind.imports(ENGINE), kind.exports(ENGINE)
    if is_pure:
        _expect_none(next(iter(imports), None))
        if HANDLE_NAME not in exports:
            raise ValueError(f"it exports {', '.join(sorted(exports)) or 'nothing'}: {PURE_WHAT}")
    strange = next((name for name in imports if not name.startswith(GIVEN)), None)
    if strange is not None:
        raise ValueError(f"it imports {strange}, which is not there: {WHAT}")
    if HANDLE_NAME in exports:
        _expect_handle(exports[HANDLE_NAME], many=not imports)
        return HANDLE if imports else PURE_HANDLE
    if any(name.startswith(RUN_NAME) for name in exports):
        return RUN
    if any(name.startswith(WEB_NAME) for name in exports):
        return WEB
    raise ValueError(f"it exports {', '.join(sorted(exports)) or 'nothing'}: {WHAT}")


def _expect_handle(exported: Any, *, many: bool) -> None:
    """`many`: it imports nothing, and may have several inputs."""
    found = exported.ty
    wanted = "handle: func(body: list<u8>) -> result<list<u8>, string>"
    if not isinstance(found, component.FuncType) or not _is_handle(found, MOST_INPUTS if many else 1):
        raise ValueError(f"its `handle` is another one: it has to be `{wanted}`")


def _is_handle(found: component.FuncType, most: int) -> bool:
    answer = found.result
    return (
        1 <= len(found.params) <= most
        and all(_is_bytes(one) for _, one in found.params)
        and isinstance(answer, component.ResultType)
        and _is_bytes(answer.ok)
        and isinstance(answer.err, component.String)
    )


def _is_bytes(kind: Any) -> bool:
    return isinstance(kind, component.ListType) and isinstance(kind.element, component.U8)
