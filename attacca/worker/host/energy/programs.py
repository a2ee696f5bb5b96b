"""Programs that are asked for power: found on the PATH, run with a list of arguments, bounded in time and in what they
say."""

import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence

from attacca.worker.host.energy.types import SourceSilent

TEXT_MOST = 1 << 20


def found(name: str, hint: str) -> str:
    """Where it is.

    Raises:
        SourceSilent: it is not on the PATH.
    """
    path = shutil.which(name)
    if path is None:
        raise SourceSilent(f"{name} is not on the PATH", hint)
    return path


def plain() -> dict[str, str]:
    """An environment in which numbers have points."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


class Asking:
    """A program that is asked for one answer, again and again."""

    def __init__(self, command: Sequence[str], timeout_s: float) -> None:
        self.command, self._timeout_s = command, timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Asking {self._name}{', which runs' if self._process is not None else ''}>"

    @property
    def _name(self) -> str:
        return os.path.basename(self.command[0])

    def ask(self) -> str:
        """What it says on its stdout.

        Raises:
            SourceSilent: it took too long, failed, could not be begun, or is not to be asked any more.
        """
        process = self._begun()
        try:
            said, complaint = process.communicate(timeout=self._timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            why = f"{self._name} took more than {self._timeout_s:g} s"
            raise SourceSilent(why, "ask it less often, by a longer period") from None
        finally:
            self._process = None
        if process.returncode != 0:
            last = complaint[-2000:].decode(errors="replace").strip().splitlines()[-1:]
            raise SourceSilent(f"{self._name} failed with {process.returncode}{': ' + last[0][:200] if last else ''}")
        return said[:TEXT_MOST].decode(errors="replace")

    def close(self) -> None:
        """It is ended, if it runs, and never begun again."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.kill()

    def _begun(self) -> "subprocess.Popen[bytes]":
        pipe = subprocess.PIPE
        with self._lock:
            if self._is_closed:
                raise SourceSilent(f"{self._name} is not asked any more")
            try:
                self._process = subprocess.Popen(
                    self.command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=plain()
                )
            except OSError as error:
                raise SourceSilent(f"{self._name} cannot be run: {error.strerror}") from None
            return self._process


class Streaming:
    """A program that goes on saying lines until it is ended. `heard` is called with each of them, in a thread."""

    def __init__(self, command: Sequence[str], heard: Callable[[str], None], *, on_stderr: bool = False) -> None:
        """
        Raises:
            SourceSilent: it cannot be begun.
        """
        self._heard = heard
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        try:
            self._process = subprocess.Popen(
                command, stdin=nothing, stdout=nothing if on_stderr else pipe, stderr=pipe if on_stderr else nothing,
                env=plain(), text=True, errors="replace",
            )  # fmt: skip
        except OSError as error:
            raise SourceSilent(f"{os.path.basename(command[0])} cannot be run: {error.strerror}") from None
        self._lines = self._process.stderr if on_stderr else self._process.stdout
        threading.Thread(target=self._read, name=os.path.basename(command[0]), daemon=True).start()

    def __repr__(self) -> str:
        state = "runs" if self.is_running else "has ended"
        return f"<Streaming {self._process.pid} {state}>"

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """It has ended, whether it wants to or not."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._lines is not None, "there is a pipe"
        with contextlib.suppress(OSError, ValueError), self._lines:
            while line := self._lines.readline(1 << 16):
                self._heard(line)
