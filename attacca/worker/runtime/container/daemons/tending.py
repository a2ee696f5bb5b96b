"""Containers that a daemon starts: their ends are seen, and made, by their processes and not by the daemon, so that it
may be killed or restarted while they run.

start ──▶ laid out ──▶ the daemon makes it and starts it ──▶ started ──▶ its first process ends ──▶ ended, and removed
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from attacca.errors import AttaccaError
from attacca.worker.runtime.container.engine import Word
from attacca.worker.runtime.container.keeper.berth import Berth
from attacca.worker.runtime.container.keeper.main import is_ending
from attacca.worker.runtime.container.keeping import PACKAGE_ROOT, PLACES, PREFIX, PYTHON, RUN

MINDER = Path(__file__).parent / "minder.py"
END_S, LAST_S = 20.0, 20.0  # for the minder to go, and for containers that are under way when all of it ends
CALL_S = 30.0  # for one answer of a daemon's: its starts wait for one another
AGAIN_S = 0.2  # after which what could not be removed is tried again
UNKNOWN = "its process ended, and {} does not say how"


class Charge:
    """One container. `output` and `network` are descriptors of its own; -1: there is none."""

    def __init__(
        self, name: str, spec: dict[str, Any], lower: str, berth: Berth, fds: list[int], files: tuple[str, ...]
    ) -> None:
        self.name, self.spec, self.lower, self.berth, self.files = name, spec, lower, berth, files
        held = [os.dup(one) for one in fds]
        self.output, self.network = held[0], held[1] if len(held) > 1 else -1
        self.id = ""  # as the daemon calls it
        self.pid, self.process = 0, -1  # its first, and a pidfd of that
        self.is_doomed = False
        self.task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        state = f"process {self.pid}" if self.process >= 0 else "no process"
        return f"<Charge {self.name}: {state}{', doomed' if self.is_doomed else ''}>"

    def begun(self, pid: int) -> None:
        """Hold on to its first process."""
        self.pid = pid
        with contextlib.suppress(ProcessLookupError):  # it was quick
            self.process = os.pidfd_open(pid)

    def let_go(self) -> None:
        for descriptor in (self.output, self.network):
            if descriptor >= 0:
                os.close(descriptor)
        self.output = self.network = -1

    def turn_away(self) -> None:
        """From its first process."""
        if self.process >= 0:
            os.close(self.process)
            self.process = -1

    def kill(self) -> None:
        self.is_doomed = True
        if self.process >= 0:
            self.berth.freeze(is_frozen=False)
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.process, signal.SIGKILL)


class Door(Protocol):
    """To one daemon. What it refuses, and that it does not answer, is an OSError that says so."""

    name: str

    @property
    def makes_networks(self) -> bool:
        """Known once it is open."""

    async def open(self, group: str, home: str) -> None:
        """
        Raises:
            IsolationMissing: there is no such daemon, or it cannot be spoken to from here.
        """

    async def launch(self, job: Charge) -> None:
        """Its first process runs, and is held on to (`Charge.begun`)."""

    async def status(self, job: Charge) -> tuple[int, bool]:
        """How it ended, as wait() has it, and whether it is known to have gone over its memory."""

    async def remove(self, job: Charge) -> None:
        """The daemon forgets it. One that it does not know is no error."""

    async def close(self) -> None:
        """It forgets all that is ours."""


class Tending:
    """`hear` is told what becomes of containers."""

    def __init__(self, door: Door, hear: Callable[[Word], None]) -> None:
        self._door, self._hear = door, hear
        self._group = f"{PREFIX}{os.getpid()}-{secrets.token_hex(3)}"
        self._home = str(RUN / self._group)
        self._jobs: dict[str, Charge] = {}
        self._left: list[Charge] = []  # the daemon still knows of them
        self._tidying: asyncio.Task[None] | None = None
        self._count = 0
        self._minder: subprocess.Popen[bytes] | None = None
        self._word = -1

    def __repr__(self) -> str:
        return f"<Tending {self._group} by {self.name}, {len(self._jobs)} containers, {len(self._left)} to be removed>"

    @property
    def name(self) -> str:
        return self._door.name

    @property
    def can_wait(self) -> bool:
        return False

    @property
    def makes_networks(self) -> bool:
        return self._door.makes_networks

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: there is no such daemon.
        """
        self._loop = asyncio.get_running_loop()
        os.makedirs(self._home, 0o755)
        reader, self._word = os.pipe2(os.O_CLOEXEC)
        self._minder = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec, once
            [PYTHON, "-I", "-S", "-X", "utf8", str(MINDER), str(PACKAGE_ROOT), str(reader), self._group, self._home],
            pass_fds=(reader,),
            stdin=subprocess.DEVNULL,
            env={"PATH": PLACES, "LANG": "C.UTF-8"},
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )
        os.close(reader)
        try:
            await self._door.open(self._group, self._home)
        except BaseException:
            await self._tidied()
            raise

    async def close(self) -> None:
        for job in self._jobs.values():
            job.kill()
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=LAST_S)
            for task in late:  # what waits for a daemon that says nothing holds an output and a network
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for job in self._jobs.values():
            job.turn_away()
        if self._tidying is not None:
            self._tidying.cancel()
        await self._tidy()
        with contextlib.suppress(OSError, AttaccaError):
            await self._door.close()
        await self._tidied()

    async def _tidied(self) -> None:
        """By its minder."""
        minder, self._minder = self._minder, None
        if minder is not None:
            os.close(self._word)
            await asyncio.to_thread(minder.wait, END_S)

    def start(
        self,
        name: str,
        spec: dict[str, Any],
        lower: str,
        files: dict[str, str],
        fds: list[int],
        *,
        waits: bool = False,
    ) -> None:
        self._count += 1
        inside = f"{self._home}/{self._count}"
        berth = Berth(inside, f"/{self._group}/{self._count}", f"{inside}/state")
        job = Charge(name, spec, lower, berth, fds, tuple(files))
        job.id = f"{self._group}-{self._count}"
        self._jobs[name] = job
        job.task = self._loop.create_task(self._make(job, files))

    async def _make(self, job: Charge, files: dict[str, str]) -> None:
        try:
            job.berth.lay(job.lower, files)
            await self._door.launch(job)
        except OSError as error:
            job.kill()  # it may have got so far
            await self._forget(job)
            self._hear(Word(failed=job.name, why=str(error)))
            return
        finally:
            job.let_go()
        self._hear(Word(started=job.name, pid=job.pid))
        if job.is_doomed:
            job.kill()
        if job.process >= 0:
            ended = asyncio.Event()
            self._loop.add_reader(job.process, ended.set)
            try:
                await ended.wait()
            finally:
                self._loop.remove_reader(job.process)
        await self._bury(job)

    async def _bury(self, job: Charge) -> None:
        is_out = job.berth.has_run_out()
        why, status, is_said = "", 0, False
        try:
            status, is_said = await self._door.status(job)
        except OSError:
            why = UNKNOWN.format(self.name)
        await self._forget(job)
        self._hear(Word(ended=job.name, status=status, why=why, oom=is_out or is_said))

    async def _forget(self, job: Charge) -> None:
        """It is gone; what cannot be removed yet is tried again."""
        self._jobs.pop(job.name, None)
        job.turn_away()
        if not await self._is_removed(job):
            self._left.append(job)
            if self._tidying is None or self._tidying.done():
                self._tidying = self._loop.create_task(self._tidy_again())

    async def _is_removed(self, job: Charge) -> bool:
        try:
            await self._door.remove(job)
        except OSError:
            return False
        return job.berth.is_removed()

    async def _tidy_again(self) -> None:
        while self._left:
            await asyncio.sleep(AGAIN_S)
            await self._tidy()

    async def _tidy(self) -> None:
        self._left = [job for job in list(self._left) if not await self._is_removed(job)]

    def say(self, do: str, name: str) -> None:
        job = self._jobs.get(name)
        if job is None:
            return
        if do == "kill":
            job.kill()
        elif do == "look":
            if job.pid and not is_ending(job.pid):
                self._loop.call_soon(self._hear, Word(alive=name))
        elif do == "root":
            self._loop.call_soon(self._hear, Word(root=name, descriptor=root_of(job.pid)))
        else:
            job.berth.freeze(is_frozen=do == "pause")


def root_of(pid: int) -> int:
    """A descriptor of it, as that process sees it; -1: it is gone."""
    try:
        return os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1


def spoken(exit_code: int) -> int:
    """A shell's exit status, as daemons have it, as wait() has it."""
    return exit_code - 128 if 128 < exit_code < 128 + signal.NSIG else exit_code << 8
