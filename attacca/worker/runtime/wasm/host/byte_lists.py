"""Lists of bytes on their way into a component and out of it, in wasmtime's own form: 32 bytes for each.

wasmtime's Python makes and reads them one by one, which takes a microsecond for each byte of a body.
"""

import ctypes
from typing import Any

from wasmtime import _ffi as ffi
from wasmtime import component

PIECE = 1 << 16  # bytes that are made ready at once
VALUE: Any = ffi.wasmtime_component_val_t
SIZE, OFFSET = ctypes.sizeof(VALUE), VALUE.of.offset
_to_c, _from_c = component.ListType.convert_to_c, component.ListType.convert_from_c


def _form(byte: int) -> bytes:
    value = VALUE.from_buffer_copy(bytes(SIZE))
    value.kind, value.of.u8 = ffi.WASMTIME_COMPONENT_U8, byte
    return bytes(value)


FORMS = [_form(byte) for byte in range(256)]


def _convert_to_c(self: Any, store: Any, value: Any, pointer: Any) -> None:
    if not isinstance(value, bytes):
        _to_c(self, store, value, pointer)
        return
    made = ffi.wasmtime_component_vallist_t()
    ffi.wasmtime_component_vallist_new_uninit(made, len(value))
    start = ctypes.cast(made.data, ctypes.c_void_p).value or 0
    for at in range(0, len(value), PIECE):
        piece = b"".join(map(FORMS.__getitem__, value[at : at + PIECE]))
        ctypes.memmove(start + at * SIZE, piece, len(piece))
    pointer.contents.kind, pointer.contents.of.list = ffi.WASMTIME_COMPONENT_LIST, made


def _convert_from_c(self: Any, value: Any) -> Any:
    if not isinstance(self.element, component.U8):
        return _from_c(self, value)
    found = value.of.list
    try:
        if not found.size:
            return b""
        start = ctypes.cast(found.data, ctypes.c_void_p).value or 0
        pieces = range(0, found.size, PIECE)
        return b"".join(
            ctypes.string_at(start + at * SIZE, min(PIECE, found.size - at) * SIZE)[OFFSET::SIZE] for at in pieces
        )
    finally:
        ffi.wasmtime_component_vallist_delete(ctypes.byref(found))


def install() -> None:
    component.ListType.convert_to_c = _convert_to_c  # type: ignore[assignment,method-assign] # each element of a list becomes an object otherwise
    component.ListType.convert_from_c = _convert_from_c  # type: ignore[assignment,method-assign] # likewise
