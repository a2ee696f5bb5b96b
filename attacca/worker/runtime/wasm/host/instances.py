"""Instances of a function: each request has its own, which is gone with its answer.

What it is told comes as CGI has it (RFC 3875): the request in the environment, its body on the standard input. What it
writes to the standard output is the answer, and to the standard error its log.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any, NamedTuple

import wasmtime
from wasmtime import component

from attacca.guest.find import Unfit

from . import byte_lists, http
from .compiling import (
    ANSWER,
    COMMAND,
    ENGINE,
    HANDLE,
    HANDLE_NAME,
    PORT_ALLOCATE,
    PORT_HANDLE,
    PORT_MEMORY,
    PURE,
    PURE_HANDLE,
    RUN_NAME,
    START,
    WEB,
    WEB_NAME,
    core_linker,
    said,
)
from .inputs import Wrong, inputs

TABLE_ELEMENTS, INSTANCES, TABLES, MEMORIES = 1 << 20, 64, 64, 16
WORD, TOLD_WRONG = 0xFFFFFFFF, 400
SCARCE = 16  # who has all but so little of its memory has none left, as people say
TAIL = 2000  # characters of what it wrote last
NOT_TOLD = frozenset(  # what is the interpreter's around it, and none of its settings
    {"PATH", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LD_LIBRARY_PATH", "LD_PRELOAD",
     "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "AWS_EXECUTION_ENV", "_HANDLER", "FUNCTION_TARGET"}
)  # fmt: skip
CGI = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_NAME", "SERVER_PORT",
       "SERVER_PROTOCOL", "REMOTE_ADDR")  # fmt: skip
ID = "attacca.invocation"
NAMED = re.compile(r"^([A-Za-z_]\w{0,99}): ?(.*)", re.DOTALL)
TEXT, JSON, BYTES = "text/plain; charset=utf-8", "application/json", "application/octet-stream"


class Written(NamedTuple):
    status: int
    fields: list[tuple[str, str]]
    body: bytes


class Told(Exception):
    """What the function did wrong, in a sentence. `__told__` stands for the traceback."""

    def __init__(self, what: str, rest: str = "") -> None:
        super().__init__(what)
        self.__told__ = rest


class Trapped(Told):
    """It went where no module may go."""


class ExitStatus(Told):
    """It ended with a status that is not 0."""


EXHAUSTED = type("MemoryError", (Told,), {})  # which the worker knows by its name


class Runner:
    """What was compiled, for one instance after the other."""

    def __init__(self, kind: bytes, path: str, memory_bytes: int) -> None:
        self._kind, self._memory = kind, memory_bytes
        self._lock = threading.Lock()  # over wasmtime's own list of who hears what is written
        self._pairs: list[tuple[str, str]] = []  # of the environment, what is the same for all
        self._here = threading.local()  # whose instance runs in this thread
        self._is_pure = kind in (PURE, PURE_HANDLE)
        self._inputs: list[str] = []  # of `handle`, by their names
        if kind in (COMMAND, PURE):
            linker = wasmtime.Linker(ENGINE) if kind == PURE else core_linker()
            self._ready = linker.instantiate_pre(wasmtime.Module.deserialize_file(ENGINE, path))
            return
        byte_lists.install()
        self._made = component.Component.deserialize_file(ENGINE, path)
        self._export, imports = self._interface()
        if kind == WEB:
            self._bridge = http.bridge()
            self._linker, self._beneath = http.linkers(self._made, imports, self._here)
            return
        self._linker = component.Linker(ENGINE)
        if self._is_pure:
            return
        self._linker.add_wasip2()
        with self._linker.root() as root, root.add_instance(ANSWER) as answer:
            answer.add_func("head", self._head)
            answer.add_func("write", self._piece)

    def __repr__(self) -> str:
        return f"<Runner {self._kind.decode()}, {self._memory >> 20} MB each>"

    def _interface(self) -> tuple[Any, list[str]]:
        """What is to be called, and the names of what it imports."""
        with self._made.type as kind:
            exports, imports = kind.exports(ENGINE), list(kind.imports(ENGINE))
        if self._kind in (HANDLE, PURE_HANDLE):
            self._inputs = [name for name, _ in exports[HANDLE_NAME].ty.params]
            return self._made.get_export_index(HANDLE_NAME), imports
        within, called = (WEB_NAME, "handle") if self._kind == WEB else (RUN_NAME, "run")
        name = next(name for name in exports if name.startswith(within))
        return self._made.get_export_index(called, self._made.get_export_index(name)), imports

    def try_out(self) -> None:
        """Make an instance, and do nothing with it.

        Raises:
            Unfit: it cannot be made.
        """
        try:
            with self._store({}, b"", Heard()) as store:
                self._instance(store)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            why = f"no instance of it can be made within {self._memory >> 20} MB: {said(error)}"
            raise Unfit(why, "where it is too large, raise memory_mb") from None

    def answer(self, environ: dict[str, Any]) -> Written:
        """
        Raises:
            Told: it failed.
        """
        heard = self._here.heard = Heard(has_answer=self._kind not in (HANDLE, PURE, PURE_HANDLE))
        try:
            body = self._body(environ, heard)
        except Wrong as error:
            return Written(TOLD_WRONG, [("Content-Type", TEXT)], str(error).encode())
        return Written(heard.status, heard.fields or [("Content-Type", kind_of(body))], body)

    def _head(self, _: Any, status: int, fields: list[tuple[str, str]]) -> None:
        self._here.heard.status, self._here.heard.fields = status, fields

    def _piece(self, _: Any, data: bytes) -> None:
        self._here.heard.pieces.append(bytes(data))

    def _body(self, environ: dict[str, Any], heard: "Heard") -> bytes:
        body = environ["wsgi.input"].read()
        with self._store(environ, b"" if self._kind == HANDLE or self._is_pure else body, heard) as store:
            try:
                return self._run(store, body, environ, heard)
            except wasmtime.ExitTrap as error:
                if error.code:
                    raise ExitStatus(f"it exited with status {error.code}{heard.last_words()}") from None
                return heard.answer()
            except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
                raise Trapped(f"it trapped: {said(error)}{heard.last_words()}", str(error)) from None

    def _serve(self, store: wasmtime.Store, run: Any, environ: dict[str, Any], heard: "Heard") -> None:
        streams = self._beneath.instantiate(store, self._bridge)
        here = self._here.exchange = http.WebCall(environ, lambda name: _called(streams, store, name))
        try:
            run(store, here.give("request", http.REQUEST), here.give("answer", http.OUTPARAM))
        finally:
            del self._here.exchange
        if not isinstance(here.answer, http.Response):
            raise Trapped(f"it gave no answer{f', but {here.answer}' if here.answer else ''}{heard.last_words()}")
        heard.status, heard.fields = here.answer.status, here.answer.told()

    def _run(self, store: wasmtime.Store, body: bytes, environ: dict[str, Any], heard: "Heard") -> bytes:
        kind, names = environ.get("CONTENT_TYPE", ""), self._inputs
        given = [body] if len(names) < 2 else inputs(names, kind, body)
        instance = self._instance(store)
        if self._kind in (COMMAND, PURE):
            exports = instance.exports(store)
            with self._within_memory(store, exports, heard):
                if self._kind == PURE:
                    return _computed(store, exports, body)
                exports[START](store)
            return heard.answer()
        run = instance.get_func(store, self._export)
        if self._kind in (HANDLE, PURE_HANDLE):
            last = _handled(run(store, *given))
            return b"".join((*heard.pieces, last)) if heard.pieces else last
        if self._kind == WEB:
            self._serve(store, run, environ, heard)
            return heard.answer()
        if run(store).tag != "ok":
            raise ExitStatus(f"it ended with an error{heard.last_words()}")
        return heard.answer()

    @contextmanager
    def _within_memory(self, store: wasmtime.Store, exports: Any, heard: "Heard") -> Iterator[None]:
        """
        Raises:
            Told: a MemoryError by its name: it failed when there was no more memory for it.
        """
        try:
            yield
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            is_well = isinstance(error, wasmtime.ExitTrap) and not error.code
            memory = exports.get("memory")
            if not is_well and memory is not None and self._memory - memory.data_len(store) < self._memory // SCARCE:
                what = f"it had {self._memory >> 20} MB of memory, and failed{heard.last_words()}"
                raise EXHAUSTED(what, str(error)) from None
            raise

    def _instance(self, store: wasmtime.Store) -> Any:
        if self._kind in (COMMAND, PURE):
            return self._ready.instantiate(store)
        return self._linker.instantiate(store, self._made)

    @contextmanager
    def _store(self, environ: dict[str, Any], body: bytes, heard: "Heard") -> Iterator[wasmtime.Store]:
        store = wasmtime.Store(ENGINE)
        store.set_limits(self._memory, TABLE_ELEMENTS, INSTANCES, TABLES, MEMORIES)
        if self._is_pure:
            try:
                yield store
            finally:
                store.close()
            return
        wasi = wasmtime.WasiConfig()
        wasi.argv = [os.environ.get("ATTACCA_FUNCTION", "function")]
        wasi.env = self._environment(environ)
        given = os.memfd_create("stdin", os.MFD_CLOEXEC) if body else -1
        try:
            if body:
                _write(given, body)
                wasi.stdin_file = f"/proc/self/fd/{given}"
            with self._lock:
                wasi.stdout_custom, wasi.stderr_custom = heard.out, heard.err
            store.set_wasi(wasi)
        finally:
            if body:
                os.close(given)
        try:
            yield store
        finally:
            with self._lock:
                store.close()

    def _environment(self, environ: dict[str, Any]) -> list[tuple[str, str]]:
        if not self._pairs:
            self._pairs = [pair for pair in os.environ.items() if pair[0] not in NOT_TOLD]
        names = [name for name in environ if name in CGI or name.startswith("HTTP_")]
        asked = [(name, _text(environ[name])) for name in names]
        if ID in environ:
            asked.append(("ATTACCA_INVOCATION", environ[ID]))
        return [*self._pairs, *asked] if asked else self._pairs


class Heard:
    """What one instance has written."""

    def __init__(self, *, has_answer: bool = True) -> None:
        """`has_answer`: on its standard output."""
        self.status, self.fields = 200, list[tuple[str, str]]()
        self._has_answer = has_answer
        self.pieces: list[bytes] = []  # of a component's answer, which come before the last
        self._out: list[bytes] = []
        self._end = b""
        self._context = copy_context()  # it is wasmtime's own threads that say what is written

    def __repr__(self) -> str:
        return f"<Heard {sum(map(len, self._out))} bytes>"

    def out(self, data: bytes) -> None:
        if self._has_answer:
            self._out.append(data)
        else:
            self._context.run(sys.stdout.write, data.decode("utf-8", "replace"))

    def err(self, data: bytes) -> None:
        self._end = (self._end + data)[-4 * TAIL :]
        self._context.run(sys.stderr.write, data.decode("utf-8", "replace"))

    def answer(self) -> bytes:
        return b"".join(self._out)

    def last_words(self) -> str:
        tail = self._end.decode("utf-8", "replace").strip()[-TAIL:]
        return f": {tail}" if tail else ""


def _called(instance: component.Instance, store: wasmtime.Store, name: str) -> Any:
    function = instance.get_func(store, name)
    assert function is not None, name
    return function(store)


def _computed(store: wasmtime.Store, exports: Any, body: bytes) -> bytes:
    """
    Raises:
        Trapped: it names what is not in its memory.
        wasmtime.Trap: it trapped.
    """
    memory = exports[PORT_MEMORY]
    at = exports[PORT_ALLOCATE](store, len(body)) & WORD
    if at + len(body) > memory.data_len(store):
        raise Trapped(f"it has no room for {len(body)} bytes at {at}")
    memory.write(store, body, at)
    found = exports[PORT_HANDLE](store, at, len(body))
    at, size = found >> 32 & WORD, found & WORD
    if at + size > memory.data_len(store):
        raise Trapped(f"it answers with {size} bytes at {at}, which are not in its memory")
    return bytes(memory.read(store, at, at + size))


def _handled(answer: bytes | str) -> bytes:
    """
    Raises:
        Exception: it answered with an error, which may name its kind, as `ValueError: no` does.
    """
    if isinstance(answer, bytes):
        return answer
    found, what = NAMED.match(answer), answer
    kind = found[1] if found is not None else "Error"
    if found is not None:
        what, _, rest = found[2].partition("\n\n")
    error: Exception = type(kind, (Told,), {})(what[: 4 * TAIL], rest if found is not None else "")
    raise error


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _text(value: Any) -> str:
    """A NUL ends what C takes for a text."""
    return str(value).replace("\0", "")


def kind_of(data: bytes) -> str:
    """What an answer seems to be, of which nobody says it."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return BYTES
    if data[:1] in (b"{", b"["):
        with suppress(ValueError):
            json.loads(text)
            return JSON
    return TEXT
