"""Each request has an instance of its own: what it is told, what it says, and what becomes of one that fails."""

import io
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from attacca.guest.find import Unfit
from attacca.worker.runtime.wasm.host.compiling import compiled
from attacca.worker.runtime.wasm.host.instances import ExitStatus, Heard, Runner, Told, Trapped, kind_of
from tests.cases import each
from tests.commands import ECHO, FAIL, HOG, PRINT, TRAP, WEB, command, handling, serving, two_handed

pytestmark = pytest.mark.long  # modules are compiled

ENVIRON = """(module
  (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (drop (call $sizes (i32.const 32) (i32.const 4)))
    (i32.store (i32.const 0) (i32.const 8192))
    (drop (call $get (i32.const 64) (i32.const 8192)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))"""


def made(place: Path, source: bytes, memory_mb: int = 4) -> Runner:
    told = compiled(source)
    (place / "m").write_bytes(told[1:])
    return Runner(told[:1], str(place / "m"), memory_mb << 20)


def told_by(runner: Runner, body: bytes = b"", **environ: str) -> bytes:
    return runner.answer(asked(body, **environ)).body


def asked(body: bytes = b"", **environ: str) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body), **environ}


def test_a_command_reads_its_body_and_writes_its_answer(tmp_path: Path) -> None:
    echo = made(tmp_path, command(ECHO))
    echo.try_out()
    assert [told_by(echo, body) for body in (b"one", b"", b"x" * 100_000)] == [b"one", b"", b"x" * 100_000]
    assert repr(echo) == "<Runner c, 4 MB each>"


def test_it_is_told_of_its_request_as_cgi_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOMEPAGE", "hello")
    monkeypatch.setenv("PYTHONHOME", "/x")
    seen = made(tmp_path, bytes(wasmtime.wat2wasm(ENVIRON)))
    request = {"REQUEST_METHOD": "POST", "QUERY_STRING": "a=\0b", "HTTP_X_A": "1"}
    told = told_by(seen, b"", **request).split(b"\0")
    assert {b"HOMEPAGE=hello", b"REQUEST_METHOD=POST", b"QUERY_STRING=a=b", b"HTTP_X_A=1"} <= {*told}
    assert not any(one.startswith((b"PYTHONHOME=", b"PATH=", b"wsgi")) for one in told)


def test_what_fails_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ExitStatus, match="it exited with status 3: hello"):
        made(tmp_path, command(FAIL)).answer(asked())
    assert capsys.readouterr().err == "hello\n"
    with pytest.raises(Trapped, match=r"it trapped: wasm trap: wasm `unreachable`.*: hello") as caught:
        made(tmp_path, command(PRINT, TRAP)).answer(asked(b"x"))
    assert "wasm backtrace" in caught.value.__told__
    with pytest.raises(Told, match="it had 4 MB of memory, and failed") as told:
        made(tmp_path, command(HOG)).answer(asked())
    assert type(told.value).__name__ == "MemoryError"


def test_a_component_handles_a_body_and_names_the_kind_of_its_error(tmp_path: Path) -> None:
    handle = made(tmp_path, handling())
    handle.try_out()
    large = bytes(range(256)) * 400
    assert [told_by(handle, body) for body in (b"body", large)] == [b"body", large]
    with pytest.raises(Told, match=r"^it is empty$") as told:
        handle.answer(asked())
    assert type(told.value).__name__ == "ValueError"


def test_a_component_may_serve_http(tmp_path: Path) -> None:
    web = made(tmp_path, serving())
    web.try_out()
    assert web.answer(asked(b"body", REQUEST_METHOD="PUT")).status == 418
    with pytest.raises(Trapped, match="unreachable"):
        made(tmp_path, serving(answers=False)).answer(asked())
    silent = bytes(wasmtime.wat2wasm(WEB.replace("(call $set (local.get $out) (i32.const 0) (local.get $answer))", "")))
    with pytest.raises(Trapped, match="it gave no answer"):
        made(tmp_path, silent).answer(asked())


def test_what_has_no_room_is_refused_before_it_is_called(tmp_path: Path) -> None:
    large = bytes(wasmtime.wat2wasm('(module (memory (export "memory") 100) (func (export "_start")))'))
    with pytest.raises(Unfit, match="no instance of it can be made within 4 MB"):
        made(tmp_path, large).try_out()


@each(
    "source, why",
    [
        (b"(module)", r"does not export _start\(\)"),
        (b'(module (func (export "_start") (param i32)))', r"does not export _start\(\)"),
        (b'(module (import "env" "f" (func)) (func (export "_start")))', "imports 'f' of 'env'"),
        (b'(module (import "env" "cast_asm" (func)))', "name it in a workflow.toml"),
        (b'(module (import "wasi_snapshot_preview1" "f" (func)) (func (export "_start")))', "unknown import"),
        (b"(component)", "it exports nothing"),
        (b"(module)", "cannot be compiled"),
    ],
)
def test_what_is_no_function_is_refused_with_why(source: bytes, why: str) -> None:
    module = bytes(wasmtime.wat2wasm(source))
    with pytest.raises(ValueError, match=why):
        compiled(module + b"\1" if why == "cannot be compiled" else module)


def test_another_export_is_no_handle() -> None:
    with pytest.raises(ValueError, match="it exports other:"):
        compiled(handling("other"))
    with pytest.raises(ValueError, match="its `handle` is another one: it has to be `handle: func"):
        compiled(handling(taken="string"))


@each(
    "data, kind",
    [
        (b"hello", "text/plain; charset=utf-8"),
        (b'{"a": 1}', "application/json"),
        (b"{a}", "text/plain; charset=utf-8"),
        (b"\xff", "application/octet-stream"),
    ],
)
def test_an_answer_is_what_it_seems_to_be(data: bytes, kind: str) -> None:
    assert kind_of(data) == kind


def test_what_is_written_has_an_end_that_is_kept() -> None:
    heard = Heard()
    heard.out(b"one")
    assert (repr(heard), heard.answer(), heard.last_words()) == ("<Heard 3 bytes>", b"one", "")


UPPER = """(module
  IMPORTS
  (memory (export "memory") 1)
  (func (export "allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 65536)) (then (return (i32.const 65530))))
    (i32.const 1024))
  (func (export "handle") (param $at i32) (param $size i32) (result i64) (local $i i32)
    (if (i32.eqz (local.get $size)) (then (return (i64.const -1))))
    (block $done (loop $more
      (br_if $done (i32.ge_u (local.get $i) (local.get $size)))
      (i32.store8 (i32.add (local.get $at) (local.get $i))
        (i32.and (i32.load8_u (i32.add (local.get $at) (local.get $i))) (i32.const 0xdf)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $size)))))"""


def pure(imports: str = "", **renamed: str) -> bytes:
    text = UPPER.replace("IMPORTS", imports)
    for name, other in renamed.items():
        text = text.replace(f'(export "{name}")', f'(export "{other}")')
    return bytes(wasmtime.wat2wasm(text))


def test_a_pure_module_computes_its_answer_from_its_input(tmp_path: Path) -> None:
    upper = made(tmp_path, pure())
    upper.try_out()
    assert [told_by(upper, body) for body in (b"one", b"two", b"x" * 10_000)] == [b"ONE", b"TWO", b"X" * 10_000]
    assert repr(upper) == "<Runner p, 4 MB each>"
    with pytest.raises(Trapped, match="answers with 4294967295 bytes at 4294967295, which are not in its memory"):
        told_by(upper, b"")
    with pytest.raises(Trapped, match="it has no room for 70000 bytes at 65530"):
        told_by(upper, b"x" * 70_000)
    grows = UPPER.replace("IMPORTS", "").replace(
        "(local $i i32)",
        "(local $i i32) (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))",
    )
    (tmp_path / "grows").mkdir()
    with pytest.raises(Told, match="it had 4 MB of memory, and failed") as told:
        told_by(
            made(tmp_path / "grows", bytes(wasmtime.wat2wasm(grows.replace("(i64.const -1)", "(unreachable)")))), b""
        )
    assert type(told.value).__name__ == "MemoryError"
    assert compiled(pure(), is_pure=True) == compiled(pure())
    (tmp_path / "q").mkdir()
    component = made(tmp_path / "q", handling())
    assert (repr(component), told_by(component, b"as it is")) == ("<Runner q, 4 MB each>", b"as it is")


FORM = (
    b'--b\r\nContent-Disposition: form-data; name="right-hand"; filename="x"\r\n\r\ntwo\r\n'
    b'--b\r\nContent-Disposition: form-data; name="left"\r\nContent-Type: text/plain\r\n\r\none\r\n--b--\r\n'
)


def test_a_pure_component_may_have_several_inputs_each_with_a_name(tmp_path: Path) -> None:
    both = made(tmp_path, two_handed())
    both.try_out()
    assert repr(both) == "<Runner q, 4 MB each>"
    form = both.answer(asked(FORM, CONTENT_TYPE="multipart/form-data; boundary=b"))
    assert (form.status, form.body) == (200, b"onetwo")
    told = both.answer(asked(b'{"left": "a", "right-hand": [1]}', CONTENT_TYPE="application/json"))
    assert (told.status, told.body) == (200, b"a[1]")
    wrong = both.answer(asked(b'{"left": "a"}', CONTENT_TYPE="application/json"))
    assert (wrong.status, wrong.body) == (400, b"it takes left, right-hand: 'right-hand' is missing")


def test_what_is_to_be_pure_and_imports_something_is_refused_with_its_name() -> None:
    clock = '(import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))'
    wanted = [
        (pure(clock), "it imports 'clock_time_get' of 'wasi_snapshot_preview1', and a pure function imports nothing"),
        (command(ECHO), "it imports 'fd_read' of 'wasi_snapshot_preview1', and a pure function"),
        (serving(), "it imports wasi:http/types@0.2.0, and a pure function"),
        (pure(allocate="reserve"), r"it does not export allocate\(i32\) -> i32: a pure function is"),
        (pure(memory="heap"), "it does not export memory: a pure function is"),
        (handling("other"), "it exports other: a pure function is"),
    ]
    for source, why in wanted:
        with pytest.raises(ValueError, match=why):
            compiled(source, is_pure=True)
