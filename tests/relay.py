"""A module of WebAssembly for tests, with all imports and exports: the first letter of an event says what it does."""

import functools

IMPORTED = '(import "env" "sync_asm" (func $sync (param i32 i32)))'
IMPORTS = f"""
  (import "env" "cast_asm" (func $cast (param i32 i32 i32 i32)))
  (import "env" "cast_raw_asm" (func $cast_raw (param i32 i32 i32 i32)))
  (import "env" "call_asm" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "call_raw_asm" (func $call_raw (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "delayed_cast_asm" (func $delayed (param i64 i32 i32 i32 i32)))
  (import "env" "telemetry_log_asm" (func $log (param i32 i32 i32 i32 i32)))
  (import "env" "slf_asm" (func $slf (param i32 i32)))
  {IMPORTED}"""
MEMORY = """
  (memory (export "memory") 2)
  (global $next (mut i32) (i32.const 4096))
  (func $alloc (export "edgeless_mem_alloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
    (loop $more (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then unreachable)) (br $more))))
    (local.get $at))
  (func (export "edgeless_mem_free") (param i32 i32))
  (func (export "edgeless_mem_clear") (global.set $next (i32.const 4096)))"""
# At 16: "out", at 32: "self", at 48: "relay", at 64: "full", at 80: no UTF-8, at 96: "stopped", at 112: "none".
# From 1024 on: where replies are put, and what `slf` says.
RELAY = f"""(module {IMPORTS} {MEMORY}
  (data (i32.const 16) "out") (data (i32.const 32) "self") (data (i32.const 48) "relay") (data (i32.const 64) "full")
  (data (i32.const 80) "\\ff\\fe") (data (i32.const 96) "stopped") (data (i32.const 112) "none")
  (func $say (param $at i32) (param $size i32)
    (call $log (i32.const 3) (i32.const 48) (i32.const 5) (local.get $at) (local.get $size)))
  (func $reply (param $what i32)
    (if (i32.eq (local.get $what) (i32.const 1))
      (then (call $say (i32.load (i32.const 1024)) (i32.load (i32.const 1028))))
      (else (call $say (i32.const 112) (i32.const 4))
        (if (i32.eq (local.get $what) (i32.const 2)) (then (call $say (i32.const 80) (i32.const 0)))))))
  (func (export "handle_init_asm") (param $payload i32) (param $size i32) (param $state i32) (param $state_size i32)
    (if (local.get $payload) (then (call $say (local.get $payload) (local.get $size))
      (if (i32.eq (i32.load8_u (local.get $payload)) (i32.const 33)) (then unreachable))))
    (if (local.get $state) (then (call $say (local.get $state) (local.get $state_size)))))
  (func (export "handle_cast_asm") (param $node i32) (param $component i32) (param $data i32) (param $size i32)
    (local $rest i32) (local $left i32) (local $letter i32)
    (if (i32.eqz (local.get $size)) (then return))
    (local.set $letter (i32.load8_u (local.get $data)))
    (local.set $rest (i32.add (local.get $data) (i32.const 1)))
    (local.set $left (i32.sub (local.get $size) (i32.const 1)))
    (if (i32.eq (local.get $letter) (i32.const 99)) (then ;; c: cast to out
      (call $cast (i32.const 16) (i32.const 3) (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 67)) (then ;; C: call out, and log the reply
      (call $reply (call $call (i32.const 16) (i32.const 3) (local.get $rest) (local.get $left)
        (i32.const 1024) (i32.const 1028))) return))
    (if (i32.eq (local.get $letter) (i32.const 114)) (then ;; r: cast to the source
      (call $cast_raw (local.get $node) (local.get $component) (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 82)) (then ;; R: call the source
      (call $reply (call $call_raw (local.get $node) (local.get $component) (local.get $rest) (local.get $left)
        (i32.const 1024) (i32.const 1028))) return))
    (if (i32.eq (local.get $letter) (i32.const 100)) (then ;; d: to itself, 10 ms later
      (call $delayed (i64.const 10) (i32.const 32) (i32.const 4) (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 120)) (then ;; x: to itself, by its own id
      (call $slf (i32.const 1024) (i32.const 1040))
      (call $cast_raw (i32.const 1024) (i32.const 1040) (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 115)) (then ;; s: sync
      (call $sync (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 108)) (then ;; l: log
      (call $say (local.get $rest) (local.get $left)) return))
    (if (i32.eq (local.get $letter) (i32.const 117)) (then ;; u: what is no UTF-8
      (call $cast (i32.const 16) (i32.const 3) (i32.const 80) (i32.const 2)) return))
    (if (i32.eq (local.get $letter) (i32.const 112)) (then ;; p: what is nowhere
      (call $cast (i32.const 16) (i32.const 3) (i32.const -16) (i32.const 8)) return))
    (if (i32.eq (local.get $letter) (i32.const 98)) (then ;; b: 17 MB
      (drop (memory.grow (i32.const 272)))
      (call $cast (i32.const 16) (i32.const 3) (i32.const 4096) (i32.const 17825792)) return))
    (if (i32.eq (local.get $letter) (i32.const 109)) (then ;; m: as much memory as there is
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
      (call $say (i32.const 64) (i32.const 4)) return))
    (if (i32.eq (local.get $letter) (i32.const 102)) (then (loop $for_ever (br $for_ever)))) ;; f
    unreachable)
  (func (export "handle_call_asm") (param $node i32) (param $component i32) (param $data i32) (param $size i32)
    (param $where i32) (param $where_size i32) (result i32) ;; e: an error, n: no reply, t: a trap; else what came
    (local $letter i32)
    (if (local.get $size) (then (local.set $letter (i32.load8_u (local.get $data)))))
    (if (i32.eq (local.get $letter) (i32.const 101)) (then (return (i32.const 2))))
    (if (i32.eq (local.get $letter) (i32.const 110)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $letter) (i32.const 116)) (then unreachable))
    (i32.store (local.get $where) (local.get $data))
    (i32.store (local.get $where_size) (local.get $size))
    (i32.const 1))
  (func (export "handle_stop_asm") (call $say (i32.const 96) (i32.const 7))))"""


@functools.cache
def assembled(text: str = RELAY) -> bytes:
    import wasmtime

    return bytes(wasmtime.wat2wasm(text))
