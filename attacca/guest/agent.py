"""The agent's own life: import a function's code when told to, then serve it on a channel until that closes.

Whoever makes the sandbox has put the process where it is to be, and set up what it sees; here nothing is known of that.
"""

import _signal  # type: ignore[import-not-found]  # `signal` without its enumerations
import gc
import json
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import NoReturn

from attacca.guest import advice, deferred, output, quickjson
from attacca.guest import channel as wire
from attacca.guest.find import is_program
from attacca.guest.load import EVENTS, Loaded, Unfit, load, load_known
from attacca.guest.serve import Server, adapted, describe
from attacca.guest.spec import AgentSpec

PROGRAM = f"{__package__}.program"  # the module of a function that is one
# For `gc.set_threshold`: nearly all that an import makes stays, and is looked through in vain.
IMPORTING = (100_000, 50, 100)


class TooSlow(BaseException):
    """The import takes too long; raised in the middle of it, so that its traceback says where."""


def load_in_time(spec: AgentSpec, here: str) -> Loaded:
    """Import the code that lies in `here`, and find its handler."""

    def interrupt(*_: object) -> NoReturn:
        raise TooSlow(f"importing the code took longer than {spec['import_s']:g} s (start_timeout_s of the server)")

    _signal.signal(_signal.SIGALRM, interrupt)  # what makes an enumeration of its numbers would be copied whole
    _signal.setitimer(_signal.ITIMER_REAL, spec["import_s"])
    usual = gc.get_threshold()
    gc.set_threshold(*IMPORTING)
    try:
        if is_program(spec["runtime"], spec["handler"], here) and spec["signature"] != EVENTS:
            program: Loaded = deferred.load("program").load(spec, here)
            return program
        find = load_known if spec["signature"] else load
        return find(spec["handler"], spec["signature"], spec["event"], here)
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        if gc.get_threshold() == IMPORTING:  # else the code has set its own
            gc.set_threshold(*usual)
        if _signal.getsignal(_signal.SIGALRM) is interrupt:  # else the code has one of its own
            _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)


def failure(error: BaseException, here: str) -> dict[str, str]:
    """Why there is nothing to serve."""
    if isinstance(error, Unfit):
        return {"code": "bad_function", "message": error.args[0], "hint": error.args[1], "traceback": ""}
    told, hint = describe(error), advice.hint(error, os.environ.get("LAMBDA_TASK_ROOT", here))
    if isinstance(error, TooSlow):
        return {"code": "timeout", "message": told["message"], "hint": hint, "traceback": told["traceback"]}
    code = "out_of_memory" if isinstance(error, MemoryError) else "bad_function"
    message = f"importing the code raised {told['type']}: {told['message']}"
    return {"code": code, "message": message, "hint": hint, "traceback": told["traceback"]}


def live(spec: AgentSpec, link: wire.Channel, find: Callable[[], Loaded], here: str, times: dict[str, float]) -> None:
    """From GO until the channel is closed; `find` imports the code, and `times` has what was before.

    Raises:
        Closed: the worker is gone.
    """
    link.read()  # GO
    go_on(spec, link, find, here, times)


def go_on(spec: AgentSpec, link: wire.Channel, find: Callable[[], Loaded], here: str, times: dict[str, float]) -> None:
    """As `live`, once GO has come."""
    output.capture(output.Ledger(link.write, spec["max_log"]))
    began = perf_counter()
    try:
        loaded = find()
    except BaseException as error:  # noqa: BLE001 - the user's code may raise anything
        output.flush()
        link.write(wire.FAILED, 0, json.dumps(failure(error, here)).encode())
        os._exit(1)
    found = perf_counter()
    serve = prepare(spec, link, loaded, here)
    gc.freeze()
    serve(quickjson.dumps({**times, **since(began, found, loaded)}))


def since(began: float, found: float, loaded: Loaded) -> dict[str, float]:
    """What its import took, and from then on until now; of a program its start, which is no import."""
    imported = began if loaded.module is sys.modules.get(PROGRAM) else found
    return {"imports_ms": (imported - began) * 1e3, "readiness_ms": (perf_counter() - imported) * 1e3}


def prepare(
    spec: AgentSpec, link: wire.Channel, loaded: Loaded, here: str, *, is_loop_there: bool = True
) -> Callable[[bytes], None]:
    """Put together what serving takes. What is returned says READY, with these words, and answers; it raises Closed
    when the worker is gone. Where it takes an event loop that can be one of ours, `is_loop_there` says whether it is
    made now, or only then."""
    loaded = adapted(loaded)
    if needs_loop(spec, loaded):
        return _on_loop(spec, link, loaded, here, is_loop_there=is_loop_there)
    server = Server(link.write, spec, loaded)
    if loaded.signature == EVENTS:
        go_on = deferred.load("instance").prepare(server, loaded, link)
    else:
        go_on = server.in_threads(link, spec["concurrency"]) if spec["concurrency"] > 1 else server.one_by_one(link)
    ledger, write, disown, has_child = server.ledger, link.write, server.disown, os.register_at_fork
    ledger.write = output.unheard
    output.capture(ledger)

    def serve(ready: bytes) -> None:
        ledger.write = write
        has_child(after_in_child=disown)
        write(wire.READY, 0, ready)
        go_on()

    return serve


def _on_loop(
    spec: AgentSpec, link: wire.Channel, loaded: Loaded, here: str, *, is_loop_there: bool
) -> Callable[[bytes], None]:
    run = deferred.load("asgi").prepare(link, spec, loaded, is_now=is_loop_there)

    def serve(ready: bytes) -> None:
        try:
            run(ready)
        except Unfit as error:
            os.set_blocking(link.writer, True)
            link.write(wire.FAILED, 0, json.dumps(failure(error, here)).encode())

    return serve


def needs_loop(spec: AgentSpec, loaded: Loaded) -> bool:
    loaded = adapted(loaded)
    return loaded.signature == "asgi" or (loaded.is_async and spec["concurrency"] > 1)
