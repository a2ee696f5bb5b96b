"""Modules of WebAssembly that are uploaded: refused, or their imports and exports are read as wasmtime reads them."""

import struct

import wasmtime

from attacca.errors import BadFunction
from attacca.model.wasm import EXPORTS, IMPORTS, expect_event_function, interface
from tests.fuzz.door import Door, refusal
from tests.relay import MEMORY, RELAY, assembled

SMALL = f"""(module {MEMORY}
  (func (export "handle_init_asm") (param i32 i32 i32 i32))
  (func (export "handle_cast_asm") (param i32 i32 i32 i32))
  (func (export "handle_call_asm") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "handle_stop_asm")))"""
NAMES = tuple(name.encode() for name in (*IMPORTS, *EXPORTS, "memory", "env"))
HEAD = b"\0asm\1\0\0\0"


class Uploaded(Door):
    name = "modules"
    largest = 40_000
    words = (
        *NAMES,
        HEAD,
        b"\x60",
        b"\x7f",
        b"\x7e",
        b"\xff\xff\xff\xff\x0f",
        b"\x80",
        b"\0",
        b"\1",
        b"\2",
        b"\3",
        b"\7",
    )

    def open(self) -> None:
        self._engine = wasmtime.Engine()
        self._sound = assembled(SMALL)

    def close(self) -> None:
        self._engine.close()

    def seeds(self) -> list[bytes]:
        many = SMALL[:-1] + "".join(f'(export "memory-{number}" (memory 0))' for number in range(2000)) + ")"
        return [assembled(SMALL), assembled(), assembled(many)]

    def traps(self) -> list[bytes]:
        large = b"\xff\xff\xff\xff\x0f"
        return [
            b"",
            HEAD,
            b"\0asm\r\0\1\0",
            *(HEAD + struct.pack("<BB", section, 5) + large for section in (1, 2, 3, 7)),
            *(HEAD + bytes([section]) + large for section in range(13)),
            HEAD + b"\7\5\1\1a\0\0",
            HEAD + b"\1\4\1\x60" + large,
            assembled(RELAY).replace(b"handle_stop_asm", b"handle_\xff\xfe\xfd_asm"),
        ]

    def check(self, data: bytes) -> str:
        try:
            expect_event_function(data)
        except BadFunction as error:
            return refusal(error)[:300]
        finally:
            expect_event_function(self._sound)
        ports = interface(data)
        try:
            module = wasmtime.Module(self._engine, data)
        except wasmtime.WasmtimeError:
            return "taken, to be refused by who compiles it"
        assert [(port.module, port.name) for port in ports if port.module] == [
            (one.module, one.name) for one in module.imports
        ]
        assert [port.name for port in ports if not port.module] == [one.name for one in module.exports]
        for port, one in zip((port for port in ports if not port.module), module.exports, strict=True):
            kind = one.type
            found = (
                (tuple(map(str, kind.params)), tuple(map(str, kind.results)))
                if isinstance(kind, wasmtime.FuncType)
                else None
            )
            assert port.shape == found, port.name
        return "taken"
