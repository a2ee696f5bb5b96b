"""Commands of WASI 0.1 as texts, for tests."""

import wasmtime

HEAD = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "hello\\n")
  (func $say (param $to i32)
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 6))
    (drop (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 12))))
  (func $echo
    (loop $more
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 65536))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (if (i32.load (i32.const 8))
        (then
          (i32.store (i32.const 4) (i32.load (i32.const 8)))
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
          (br $more)))))
  (func $hog (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable)
  (func $wait (loop $more (br $more)))
"""
ECHO = "(call $echo)"
FAIL = "(call $say (i32.const 2)) (call $exit (i32.const 3))"
PRINT = "(call $say (i32.const 2)) (call $echo)"
HOG, WAIT, TRAP = "(call $hog)", "(call $wait)", "unreachable"


def command(*body: str) -> bytes:
    """One that does this when it is started."""
    return bytes(wasmtime.wat2wasm(f'{HEAD}(func (export "_start") {" ".join(body)}))'))


COMPONENT = """(component
  (core module $code
    (memory (export "memory") PAGES)
    (global $free (mut i32) (i32.const 1024))
    (data (i32.const 16) "ValueError: it is empty")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get 3)))
      (i32.sub (global.get $free) (local.get 3)))
    (func (export "handle") (param $at i32) (param $size i32) (result i32)
      (if (i32.eqz (local.get $size))
        (then
          (i32.store (i32.const 0) (i32.const 1))
          (i32.store (i32.const 4) (i32.const 16))
          (i32.store (i32.const 8) (i32.const 23))
          (return (i32.const 0))))
      (i32.store (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $at))
      (i32.store (i32.const 8) (local.get $size))
      (i32.const 0)))
  (core instance $made (instantiate $code))
  (func (export "NAME") (param "body" (list u8)) (result (result (list u8) (error string)))
    (canon lift (core func $made "handle")
      (memory (core memory $made "memory")) (realloc (core func $made "realloc")))))
"""


def handling(name: str = "handle", taken: str = "(list u8)", pages: int = 4) -> bytes:
    """A component that answers with the body, and with an error where that is empty."""
    text = COMPONENT.replace("NAME", name).replace('"body" (list u8)', f'"body" {taken}')
    return bytes(wasmtime.wat2wasm(text.replace("PAGES", str(pages))))


TWO = """(component
  (core module $code
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get 3)))
      (i32.sub (global.get $free) (local.get 3)))
    (func (export "handle") (param $a i32) (param $as i32) (param $b i32) (param $bs i32) (result i32)
      (i32.store (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $a))
      (i32.store (i32.const 8) (i32.sub (i32.add (local.get $b) (local.get $bs)) (local.get $a)))
      (i32.const 0)))
  (core instance $made (instantiate $code))
  (func (export "handle") (param "left" (list u8)) (param "right-hand" (list u8))
    (result (result (list u8) (error string)))
    (canon lift (core func $made "handle")
      (memory (core memory $made "memory")) (realloc (core func $made "realloc")))))
"""


def two_handed() -> bytes:
    """A component that answers with its two inputs, `left` before `right-hand`."""
    return bytes(wasmtime.wat2wasm(TWO))


WEB = """(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type $fields (sub resource)))
    (export "incoming-request" (type $request (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "response-outparam" (type $out (sub resource)))
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-response" (func (param "headers" (own $fields)) (result (own $response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $out)) (param "response" (result (own $response) (error u8)))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $out))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $status (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $types "[static]response-outparam.set")))
  (core module $code
    (import "" "fields" (func $fields (result i32)))
    (import "" "response" (func $response (param i32) (result i32)))
    (import "" "status" (func $status (param i32 i32) (result i32)))
    (import "" "set" (func $set (param i32 i32 i32)))
    (func (export "handle") (param $request i32) (param $out i32) (local $answer i32)
      (local.set $answer (call $response (call $fields)))
      (drop (call $status (local.get $answer) (i32.const 418)))
      (call $set (local.get $out) (i32.const 0) (local.get $answer))))
  (core instance $made (instantiate $code (with "" (instance
    (export "fields" (func $fields)) (export "response" (func $response))
    (export "status" (func $status)) (export "set" (func $set))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $out))
    (canon lift (core func $made "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"""


def serving(*, answers: bool = True) -> bytes:
    """A component that answers requests with the status 418, or not at all."""
    text = WEB if answers else WEB.replace("(call $set (local.get $out)", "(call $set (unreachable)")
    return bytes(wasmtime.wat2wasm(text))
