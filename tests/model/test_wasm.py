"""Modules of which an event function can be made, and what is said of others."""

import pytest

from attacca.errors import BadFunction
from attacca.model.wasm import EXPORTS, IMPORTS, Cursor, expect_event_function, interface, shown
from tests.cases import each
from tests.relay import IMPORTED, RELAY, assembled

OTHER_KINDS = """(module
  (import "env" "t" (table 1 funcref)) (import "env" "m" (memory 1 2)) (import "env" "g" (global i64))
  (func (export "f") (param f32) (result f64) (f64.const 0)))"""


def test_all_imports_and_exports_are_read_with_their_types() -> None:
    ports = interface(assembled())
    assert {port.name: port.shape for port in ports if port.module} == IMPORTS
    exported = {port.name: port.shape for port in ports if not port.module}
    assert exported == {**EXPORTS, "memory": None}
    assert [(port.name, port.kind) for port in interface(assembled(OTHER_KINDS))] == [
        ("t", 1), ("m", 2), ("g", 3), ("f", 0),
    ]  # fmt: skip
    expect_event_function(assembled())
    assert shown(EXPORTS["edgeless_mem_alloc"]) == "(i32) -> i32"
    assert repr(Cursor(b"abc", 1, 3)) == "<Cursor 1 of 3>"


@each(
    "old, new, says",
    [
        ('(export "handle_stop_asm")', "", "does not export handle_stop_asm()"),
        ('(memory (export "memory") 2)', "(memory 2)", "does not export its memory"),
        (
            '(export "edgeless_mem_free") (param i32 i32)',
            '(export "edgeless_mem_free") (param i32)',
            "exports edgeless_mem_free(i32), and (i32, i32) is wanted",
        ),
        (IMPORTED, f'{IMPORTED} (import "env" "open_asm" (func))', "imports 'open_asm' of 'env'"),
        (IMPORTED, f'{IMPORTED} (import "wasi_snapshot_preview1" "fd_write" (func))', "imports 'fd_write' of 'wasi"),
        (IMPORTED, f'{IMPORTED} (import "env" "sync_asm" (func (param i64)))', "imports sync_asm(i64), and it is"),
        (IMPORTED, f'{IMPORTED} (import "env" "slf_asm" (global i32))', "imports slf_asm, a global, and it is"),
    ],
)
def test_what_is_missing_or_too_much_is_named(old: str, new: str, says: str) -> None:
    assert RELAY.count(old) == 1
    with pytest.raises(BadFunction) as refused:
        expect_event_function(assembled(RELAY.replace(old, new)))
    assert says in refused.value.message
    assert "wasm32-unknown-unknown" in refused.value.hint


@each(
    "data, says",
    [
        (b"", "does not begin with"),
        (b"print('x')", "does not begin with"),
        (b"\0asm\r\0\1\0", "a component"),
        (b"\0asm\2\0\0\0", "version"),
        (b"\0asm\1\0\0\0\1\xff", "ends in the middle"),
        (b"\0asm\1\0\0\0\1\x01\x7f", "more than it holds"),
        (b"\0asm\1\0\0\0\1\x02\x01\x5f", "a form that is not taken"),
        (b"\0asm\1\0\0\0\1\x80\x80\x80\x80\x80\x01", "too large"),
    ],
)
def test_what_is_no_module_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(BadFunction, match=says):
        expect_event_function(data)


@pytest.mark.long
def test_no_module_is_taken_that_is_cut_off() -> None:
    whole = assembled()
    for end in range(0, len(whole) - 40, 7):
        with pytest.raises(BadFunction):
            expect_event_function(whole[:end])
