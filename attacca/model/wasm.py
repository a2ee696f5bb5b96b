"""What a module of WebAssembly asks for and offers, and whether an event function can be made of it.

The eight imports and eight exports are those of EDGELESS, whose modules run as they are.
"""

from typing import NamedTuple

from attacca.errors import BadFunction

MAGIC, CORE, COMPONENT = b"\0asm", b"\1\0\0\0", b"\r\0\1\0"
ENV = "env"
I32, I64 = "i32", "i64"
IMPORTS = {
    "cast_asm": ((I32,) * 4, ()),
    "cast_raw_asm": ((I32,) * 4, ()),
    "call_asm": ((I32,) * 6, (I32,)),
    "call_raw_asm": ((I32,) * 6, (I32,)),
    "delayed_cast_asm": ((I64, *(I32,) * 4), ()),
    "telemetry_log_asm": ((I32,) * 5, ()),
    "slf_asm": ((I32,) * 2, ()),
    "sync_asm": ((I32,) * 2, ()),
}
EXPORTS = {
    "edgeless_mem_alloc": ((I32,), (I32,)),
    "edgeless_mem_free": ((I32,) * 2, ()),
    "edgeless_mem_clear": ((), ()),
    "handle_init_asm": ((I32,) * 4, ()),
    "handle_cast_asm": ((I32,) * 4, ()),
    "handle_call_asm": ((I32,) * 6, (I32,)),
    "handle_stop_asm": ((), ()),
}
MEMORY = "memory"
FUNCTION, TABLE, IS_MEMORY, GLOBAL, TAG = 0, 1, 2, 3, 4
KINDS = {FUNCTION: "a function", TABLE: "a table", IS_MEMORY: "a memory", GLOBAL: "a global", TAG: "a tag"}
TYPES = {0x7F: I32, 0x7E: I64, 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}
HINT = "compile it for wasm32-unknown-unknown with the EDGELESS SDK, or export what docs/workflows.md lists"
Shape = tuple[tuple[str, ...], tuple[str, ...]]  # parameters, and what it returns


class Port(NamedTuple):
    """Something that is imported or exported. `shape` is a function's."""

    module: str  # empty: it is exported
    name: str
    kind: int
    shape: Shape | None


class Cursor:
    """Read from the front to the back."""

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self._data, self.at, self.end = data, at, end

    def __repr__(self) -> str:
        return f"<Cursor {self.at} of {self.end}>"

    def take(self, count: int) -> bytes:
        if count > self.end - self.at:
            raise ValueError("it ends in the middle")
        self.at += count
        return self._data[self.at - count : self.at]

    def number(self) -> int:
        """An unsigned LEB128 of at most 32 bits."""
        found = 0
        for shift in range(0, 35, 7):
            byte = self.take(1)[0]
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
        raise ValueError("it has a number that is too large")

    def text(self) -> str:
        return self.take(self.number()).decode()


def expect_event_function(data: bytes) -> None:
    """
    Raises:
        BadFunction: it is no module, lacks an export, or imports what there is not.
    """
    ports = _ports(data)
    for port in ports:
        if port.module:
            _expect_import(port)
    exports = {port.name: port for port in ports if not port.module}
    if MEMORY not in exports or exports[MEMORY].kind != IS_MEMORY:
        raise BadFunction("the module does not export its memory as `memory`", HINT)
    for name, shape in EXPORTS.items():
        if name not in exports:
            raise BadFunction(f"the module does not export {name}{shown(shape)}", HINT)
        if exports[name].shape != shape:
            raise BadFunction(f"the module exports {name}{_is(exports[name])}, and {shown(shape)} is wanted", HINT)


def _ports(data: bytes) -> list[Port]:
    if data[:4] != MAGIC:
        raise BadFunction("this is no module of WebAssembly: it does not begin with \\0asm", HINT)
    if data[4:8] == COMPONENT:
        raise BadFunction("this is a component, and a core module is wanted", HINT)
    if data[4:8] != CORE:
        raise BadFunction("this is no module of WebAssembly that is known: its version is not 1", HINT)
    try:
        return interface(data)
    except (ValueError, IndexError) as wrong:
        raise BadFunction(f"this is no whole module of WebAssembly: {wrong}", HINT) from None


def _expect_import(port: Port) -> None:
    wanted = IMPORTS.get(port.name) if port.module == ENV else None
    if wanted is None:
        hint = f"there are {', '.join(IMPORTS)} of {ENV}; {HINT}"
        if port.module.startswith("wasi"):
            hint = "an event function has no WASI: compile it for wasm32-unknown-unknown"
        raise BadFunction(f"the module imports {port.name!r} of {port.module!r}, which is not there", hint)
    if port.shape != wanted:
        raise BadFunction(f"the module imports {port.name}{_is(port)}, and it is {shown(wanted)}", HINT)


def _is(port: Port) -> str:
    return f", {KINDS[port.kind]}" if port.shape is None else shown(port.shape)


def shown(shape: Shape) -> str:
    parameters, results = shape
    return f"({', '.join(parameters)})" + (f" -> {', '.join(results)}" if results else "")


def interface(data: bytes) -> list[Port]:
    """What it imports and exports. Of a core module; nothing else in it is looked at.

    Raises:
        ValueError: it is not whole.
    """
    types: list[Shape] = []
    functions: list[int] = []  # by index, imported ones first: which type it has
    ports: list[Port] = []
    whole = Cursor(data, 8, len(data))
    while whole.at < whole.end:
        section, size = whole.take(1)[0], whole.number()
        whole.take(size)
        part = Cursor(data, whole.at - size, whole.at)
        if section == 1:
            types = [_shape(part) for _ in range(_count(part))]
        elif section == 2:
            ports += [_imported(part, types, functions) for _ in range(_count(part))]
        elif section == 3:
            functions += [part.number() for _ in range(_count(part))]
        elif section == 7:
            for _ in range(_count(part)):
                name, kind, index = part.text(), part.take(1)[0], part.number()
                if kind not in KINDS:
                    raise ValueError(f"it exports {name!r} as nothing that is known")
                ports.append(Port("", name, kind, types[functions[index]] if kind == FUNCTION else None))
    return ports


def _count(part: Cursor) -> int:
    count = part.number()
    if count > part.end - part.at:  # each has a byte at least
        raise ValueError("it says that it has more than it holds")
    return count


def _shape(part: Cursor) -> Shape:
    form = part.take(1)[0]
    if form != 0x60:
        raise ValueError(f"it has a type of a form that is not taken ({form:#x})")
    parameters = tuple([_type(part) for _ in range(_count(part))])
    return parameters, tuple([_type(part) for _ in range(_count(part))])


def _type(part: Cursor) -> str:
    code = part.take(1)[0]
    if code not in TYPES:
        raise ValueError(f"it has a value of a type that is not taken ({code:#x})")
    return TYPES[code]


def _imported(part: Cursor, types: list[Shape], functions: list[int]) -> Port:
    module, name, kind = part.text(), part.text(), part.take(1)[0]
    if kind == FUNCTION:
        functions.append(part.number())
        return Port(module or "-", name, kind, types[functions[-1]])
    if kind == TAG:
        part.take(1)
        part.number()
    elif kind == GLOBAL:
        _type(part)
        part.take(1)
    elif kind in (TABLE, IS_MEMORY):
        if kind == TABLE:
            _type(part)
        flags = part.number()
        part.number()
        if flags & 1:
            part.number()
    else:
        raise ValueError(f"it imports {name!r} as nothing that is known")
    return Port(module or "-", name, kind, None)
