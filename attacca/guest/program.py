"""A function that is a program: `bootstrap` runs beside the agent, and asks for its events over Lambda's Runtime API or
serves HTTP on $PORT, whichever it does first."""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Iterable
from typing import Any

from attacca.guest import deferred
from attacca.guest.find import PROGRAM as NAME
from attacca.guest.load import Loaded, Unfit
from attacca.guest.spec import AgentSpec

PORT = 8080  # what programs of this kind are used to; another where that is taken
FIRST_MS, SOON_MS, MOST_MS = 1.0, 4.0, 50.0  # between looks for somebody who listens
READ, END_BYTES = 65_536, 4096
LAST_S = 0.2  # for what is still on its way of what one printed that has ended
DEFAULTS = [signal.SIGPIPE, signal.SIGXFSZ]  # which Python ignores
UNMADE = "make it executable: chmod +x bootstrap"
FORMAT = "it has to begin with #! and the path of a program that is there, or be built for this machine, {}"
SOCKETS, LISTENS = ("/proc/self/net/tcp", "/proc/self/net/tcp6"), "0A"
CHOICES = "ask $AWS_LAMBDA_RUNTIME_API for its next event, or listen on $PORT of 127.0.0.1"
ALONE = "leave concurrency out, or serve HTTP on $PORT"


class Printed:
    """What it prints goes on to where the sandbox's own output goes; its end is kept."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        self._end = b""
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<Printed {len(self._end)} bytes>"

    def _pass_on(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self._reader, READ):
                self._end = (self._end + data)[-END_BYTES:]
                os.write(1, data)
        os.close(self._reader)

    def last_words(self) -> str:
        """Of a program that has ended."""
        self._thread.join(LAST_S)
        return self._end.decode("utf-8", "replace").strip()


class Program:
    """`bootstrap`, which is started anew when it is wanted and has ended."""

    def __init__(self, here: str, handler: str, most: int) -> None:
        self._path, self._handler = os.path.join(here, NAME), handler
        self._pid, self._ended = 0, -1
        self.api = deferred.load("runtime_api").RuntimeApi(most, self.end)
        self.port = 0  # where it serves HTTP

    def __repr__(self) -> str:
        state = f"process {self._pid}" if self._ended >= 0 else "not running"
        return f"<Program {state}, {f'HTTP on {self.port}' if self.port else self.api}>"

    def start(self) -> None:
        """Until it has asked for its first event, or listens.

        Raises:
            Unfit: it cannot be started, or has ended before.
        """
        port = _free_port()
        environment = {
            **os.environ,
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_EXECUTION_ENV": "AWS_Lambda_provided",
            "PORT": str(port),
            "_HANDLER": self._handler,
        }
        printed = Printed()
        heard = [(os.POSIX_SPAWN_DUP2, printed.writer, descriptor) for descriptor in (1, 2)]
        try:
            self._pid = os.posix_spawn(self._path, [self._path], environment, file_actions=heard, setsigdef=DEFAULTS)
        except OSError as error:
            raise Unfit(f"{NAME} cannot be started: {error.strerror}", FORMAT.format(os.uname().machine)) from None
        finally:
            os.close(printed.writer)
        self._ended = os.pidfd_open(self._pid)
        self.api.watch(self._ended)
        try:
            self._await(port, printed)
        except BaseException:
            self.stop()
            raise

    def _await(self, port: int, printed: Printed) -> None:
        wait_ms = FIRST_MS
        while not self.api.is_asked:
            if (why := self.end()) is not None:
                said = printed.last_words()
                what = f"{NAME} {why} before it had asked for an event"
                raise Unfit(f"{what}, and printed: {said}" if said else what, f"it is to {CHOICES}")
            if self.api.init_error is not None:
                told = self.api.init_error
                said = "\n".join(
                    (f"{NAME} could not start: {type(told).__name__}: {told}", *getattr(told, "__notes__", ()))
                )
                raise Unfit(said, "it says so itself, by init/error")
            if is_served(port, SOCKETS):
                self.port = port
                return
            self.api.turn(wait_ms)
            if wait_ms > SOON_MS:  # there is time until then
                deferred.load("proxy")
            wait_ms = min(wait_ms * 2, MOST_MS)

    def ensure(self) -> None:
        """It runs."""
        _bury()
        if self.end() is not None:
            self.stop()
            try:
                self.start()
            except Unfit as error:
                raise deferred.load("runtime_api").failure("Runtime.ExitError", error.args[0]) from None

    def end(self) -> str | None:
        """How it has ended, if it has."""
        if self._ended < 0:
            return "has ended"
        if not select.select([self._ended], [], [], 0)[0]:
            return None
        with contextlib.suppress(ChildProcessError):
            found = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None and found.si_code != os.CLD_EXITED:
                return f"was killed by {signal.Signals(found.si_status).name}"
            if found is not None:
                return f"has ended with status {found.si_status}"
        return "has ended"

    def stop(self) -> None:
        """End it, and forget it."""
        if self._ended >= 0:
            self.api.forget(self._ended)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._ended, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._pid, 0)
            os.close(self._ended)
            self._ended = -1

    def call(self, event: Any, context: Any) -> Any:
        """Of one that asks for its events."""
        self.ensure()
        return self.api.ask(event, context)


def load(spec: AgentSpec, here: str) -> Loaded:
    """Start it, and see how it wants its invocations.

    Raises:
        Unfit: it is not there, cannot be started, ends, or cannot do what is asked of it.
    """
    path, handler = os.path.join(here, NAME), spec["handler"] or NAME
    if not os.path.isfile(path):
        raise Unfit(f"there is no file {NAME} at the top", f"it is the program that runs: it is to {CHOICES}")
    if not os.access(path, os.X_OK):
        raise Unfit(f"{NAME} is not executable", UNMADE)
    program = Program(here, handler, spec["max_body"])
    program.start()
    module = sys.modules[__name__]
    if program.port:
        proxy = deferred.load("proxy").Proxy(program)
        return Loaded(proxy, handler, "wsgi", "plain", False, module, None)  # noqa: FBT003 - in the order of Loaded
    if spec["concurrency"] > 1:
        program.stop()
        raise Unfit(f"{NAME} takes one event after the other, and concurrency is {spec['concurrency']}", ALONE)
    shape = spec["event"] or "plain"
    return Loaded(program.call, handler, "event_context", shape, False, module, None)  # noqa: FBT003 - as above


def _free_port() -> int:
    for port in (PORT, 0):
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            return int(sock.getsockname()[1])
    raise Unfit("there is no port that it could listen on", "try again")


def is_served(port: int, tables: Iterable[str]) -> bool:
    """Does somebody listen there, by tables as /proc/net/tcp is? Whoever serves is not disturbed by being asked."""
    for table in tables:
        with contextlib.suppress(FileNotFoundError), open(table) as lines:
            for words in map(str.split, lines):
                if words[3] == LISTENS and words[1].endswith(f":{port:04X}"):
                    return True
    return False


def _bury() -> None:
    """Those that it has left behind are children of the first process of the sandbox."""
    if os.getpid() == 1:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)) is not None:
                del found
