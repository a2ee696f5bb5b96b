"""What a template says of itself and of its children: of others it has no say, and everything comes to an end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, cast

from attacca.guest import channel as wire
from attacca.guest.link import LAST_FRAMES, LAST_READS
from attacca.kernel.clock import ManualClock
from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Ok, Request
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    SandboxReady,
    TemplateFailed,
    TemplateGone,
    TemplateReady,
)
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.cgroup_slot import CgroupSlot
from attacca.worker.runtime.process.deadlines import Deadlines
from attacca.worker.runtime.process.description import no_secret
from attacca.worker.runtime.process.fork_client import LARGEST, TURN, ForkClient
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.process.telling import Telling
from attacca.worker.runtime.process.wiring import Wiring
from attacca.worker.runtime.process.zygote.spawn_spec import BIRTH
from tests.fuzz.door import Door
from tests.fuzz.framing import as_json, frame, head, left_over, odd, times
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate
from tests.fuzz.warped import Warped, descriptors, left_open
from tests.gateway.play import revision

OPTIONS = ProcessOptions(isolation="none", use_cgroups=False, max_response_mb=1)
TEMPLATE, OTHER, LATER, FIRST, SECOND = 1, 2, 3, 4, 5  # numbers of births: its own, two of others, two that it forks
KINDS = (wire.PLACED, wire.READY, wire.FAILED, wire.MADE, wire.REFUSED, wire.ENDED)
STRANGE = (0, 9, 10, wire.RESULT, wire.ERROR, wire.LOG, wire.HALL, wire.UNFIT, 99, 255)
GRANDCHILDREN = 2
PATIENCE_S = 3.0


class Packets(Door):
    name = "packets"
    words = (
        *(bytes((kind,)) for kind in (*KINDS, *STRANGE)),
        *(text.encode() for text in UNICODE),
        *(number.encode() for number in NUMBERS),
    )

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self._loop = Warped()

    def close(self) -> None:
        self._loop.close()
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        placed, ready = frame(wire.PLACED, 0), frame(wire.READY, 0, as_json(imported()))
        return [
            placed + ready,
            placed + ready + made(FIRST, 1) + made(SECOND, 2),
            placed + ready + made(FIRST, 1) + frame(wire.ENDED, FIRST, wire.STATUS.pack(9)),
            placed + ready + frame(wire.REFUSED, SECOND, b"no memory") + made(FIRST, 2),
            placed + frame(wire.FAILED, 0, as_json(failed())),
        ]

    def traps(self) -> list[bytes]:
        placed, ready = frame(wire.PLACED, 0), frame(wire.READY, 0, as_json(imported()))
        start = placed + ready
        about = [
            frame(kind, number, payload)
            for kind, payload in ((wire.MADE, b"\x01\0\0\0"), (wire.ENDED, b"\0\0\0\0"), (wire.REFUSED, b"no"))
            for number in (0, TEMPLATE, OTHER, LATER, FIRST, 6, (1 << 32) - 1)
        ]
        found = [start + one * 2 for one in about] + about
        found += [
            start + frame(wire.ENDED, FIRST, wire.STATUS.pack(status))
            for status in (-(1 << 31), (1 << 31) - 1, 0x7F, 0xFF, -1)
        ]
        found += [start + made(FIRST, pid) for pid in (0, 3, 4, 5, 6, (1 << 32) - 1)] + [start + made(FIRST, 1) * 40]
        found += [
            placed * 2,
            ready,
            start + ready,
            start + frame(wire.REFUSED, FIRST, b"\xff" * 60_000),
            start + frame(wire.FAILED, 0, as_json(failed())),
        ]
        found += [
            start + frame(wire.ENDED, OTHER, b"\0\0\0\0") * 500,
            wire.HEAD.pack(LARGEST + 1, wire.READY, 0),
            placed + frame(wire.READY, 0, b"[" * 50_000),
        ]
        return found

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.3:
            return mutate(chance, corpus, self.words)[: self.largest]
        start = chance.choice(
            (b"", frame(wire.PLACED, 0), frame(wire.PLACED, 0) + frame(wire.READY, 0, as_json(imported())))
        )
        return (start + b"".join(drawn(chance) for _ in range(chance.choice((1, 2, 3, 8)))))[: self.largest]

    def check(self, data: bytes) -> str:
        try:
            fate = Story(self._loop, self._room).play(data)
        except BaseException:
            self.close()  # the next input finds all as it should be
            self.open()
            raise
        return f"refused: {fate}" if fate else "taken"


class Watched(ProcessRuntime):
    """Counts what it hears in each turn of the loop."""

    by_turn: Counter[int]

    def _hear(self, parent: ForkClient, kind: int, number: int, payload: bytes) -> None:
        self.by_turn[cast(Warped, self._loop).turn] += 1
        super()._hear(parent, kind, number, payload)


class Zygote:
    """An honest one, in memory: `Zygotes` as a runtime sees them, and the one that is among them. It forks the story's
    processes."""

    def __init__(
        self, loop: Warped, hear: Callable[[ForkClient, int, int, bytes], None], lost: Callable[[ForkClient], None]
    ) -> None:
        ours, self.orders = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        reader, self.told = os.pipe()
        self.fork_client: ForkClient = ForkClient(
            loop,
            ours,
            reader,
            -1,
            CgroupSlot(None, lambda _: None),
            lambda kind, number, payload: hear(self.fork_client, kind, number, payload),
            lambda _: lost(self.fork_client),
        )
        self.fork_client.lineage.settle(os.getpid())

    def of(self, _revision: Revision, *, is_outdoors: bool, is_template: bool) -> "Zygote":
        assert not is_outdoors
        return self

    def ask(self, work: Callable[[ForkClient], None]) -> None:
        work(self.fork_client)

    def clients(self) -> list[ForkClient]:
        return [self.fork_client]

    def say(self, kind: int, number: int, payload: bytes) -> None:
        os.write(self.told, frame(kind, number, payload))

    def close(self) -> None:
        self.fork_client.close()
        self.orders.close()
        os.close(self.told)


class Story:
    """A template of one function, two sandboxes that it shall fork, and a sandbox of another function."""

    def __init__(self, loop: Warped, room: Path) -> None:
        self.loop, self.before = loop, descriptors()
        self.reports: list[Report] = []
        self.held: list[int] = []
        self.runtime = Watched(SharedCode(room), OPTIONS, ManualClock(5.0))
        self.runtime.by_turn = Counter()
        self.runtime._loop, self.runtime._sink = loop, self.reports.append
        self.runtime._deadlines = Deadlines(loop, OPTIONS, self.runtime._templates)
        self.runtime._wiring = Wiring(self.runtime.common.nat, self.reports.append)
        self.runtime._telling = Telling(OPTIONS, no_secret, self.runtime._images, None, has_groups=False)
        self.zygote = Zygote(loop, self.runtime._hear, self.runtime._lost)
        self.runtime._zygotes = cast(Any, self.zygote)
        fork = " ".join(["sleep 600 &"] * GRANDCHILDREN)
        self.template = subprocess.Popen(["sh", "-c", f"{fork} wait"], start_new_session=True)
        self.other, self.later = (subprocess.Popen(["sleep", "600"], start_new_session=True) for _ in range(2))
        end = time.monotonic() + PATIENCE_S
        while len(self._grandchildren()) < GRANDCHILDREN:
            assert time.monotonic() < end, "the processes of the story do not come"

    def play(self, data: bytes) -> str:
        ours, theirs = revision("f"), revision("g")
        try:
            self.runtime.make_template("t", ours)
            self.runtime.make_sandbox("other", theirs, None)
            self.runtime.make_sandbox("later", theirs, None)
            self.loop.turns(2)
            _, template_writer, _, orders = self._taken(self.zygote.orders)
            _, other_writer, _ = self._taken(self.zygote.orders)
            _, later_writer, _ = self._taken(self.zygote.orders)
            self.zygote.say(wire.MADE, TEMPLATE, wire.PROCESS.pack(self.template.pid))
            self.zygote.say(wire.MADE, OTHER, wire.PROCESS.pack(self.other.pid))
            os.write(other_writer, frame(wire.READY, 0, as_json(times())))
            self.loop.turns(3)
            assert [type(one) for one in self.reports] == [SandboxReady], "an honest start goes wrong"
            for name in ("s1", "s2"):
                self.runtime.make_sandbox(name, ours, "t")
            self.runtime.by_turn.clear()
            self._write(template_writer, self._named(data))
            fate = self._fate()
            if not fate and not left_over(data):
                self._forks_on(template_writer)
            self._others_are_well(other_writer, later_writer, theirs)
        finally:
            self._end(locals().get("orders", -1))
        self._everything_has_ended()
        return fate

    def _taken(self, orders: socket.socket) -> list[int]:
        _, found, _, _ = socket.recv_fds(orders, BIRTH.size, 8)
        self.held += found
        return found

    def _grandchildren(self) -> list[int]:
        with open(f"/proc/{self.template.pid}/task/{self.template.pid}/children") as file:
            return [int(word) for word in file.read().split()]

    def _named(self, data: bytes) -> bytes:
        """Small process ids stand for those of this story, so that an input means the same each time."""
        known = dict(enumerate([*self._grandchildren(), self.template.pid, self.other.pid, os.getpid(), 1], start=1))
        at, named = 0, bytearray(data)
        while len(data) - at >= wire.HEAD.size:
            size, kind, _ = wire.HEAD.unpack_from(data, at)
            at += wire.HEAD.size
            if kind == wire.MADE and size == wire.PROCESS.size and at + size <= len(data):
                (pid,) = wire.PROCESS.unpack_from(data, at)
                wire.PROCESS.pack_into(named, at, known.get(pid, pid))
            at += size
        return bytes(named)

    def _write(self, writer: int, data: bytes) -> None:
        os.set_blocking(writer, False)
        for at in range(0, len(data), 8192):
            if self._fate():
                return
            with contextlib.suppress(BlockingIOError):
                os.write(writer, data[at : at + 8192])
            self._heard_out()

    def _heard_out(self) -> None:
        template = self.runtime._templates.get("t")
        if template is not None:
            self.loop.hear_out(template.fork_client._link)

    def _fate(self) -> str:
        found = self.runtime._templates.get("t")
        if found is None:
            return "it is gone"
        return found.process.killed_for or ("" if found.fork_client.is_open else "its channel is closed")

    def _forks_on(self, writer: int) -> None:
        """An honest birth after all this, if one is still owed and there is a child for it."""
        process, fork_client = self.runtime._processes.get("s2"), self.runtime._templates["t"].fork_client
        free = [pid for pid in self._grandchildren() if pid not in fork_client.lineage._known]
        if (
            process is not None
            and not process.is_born
            and not process.killed_for
            and free
            and self.runtime._templates["t"].is_placed
        ):
            os.write(writer, made(SECOND, free[0]))
            self._heard_out()
            assert process.is_born, "an honest birth is not believed"

    def _others_are_well(self, writer: int, later: int, theirs: Revision) -> None:
        self.runtime.run("other", theirs, Invocation("probe", "g", "g@1", Request()))
        os.write(writer, frame(wire.RESULT, 1, head(b"", [], b"well")))
        self.zygote.say(wire.MADE, LATER, wire.PROCESS.pack(self.later.pid))
        os.write(later, frame(wire.READY, 0, as_json(times())))
        self.loop.turns(3)
        assert [type(one) for one in self.reports if getattr(one, "sandbox", "") == "later"] == [SandboxReady], (
            "another's start goes wrong"
        )
        mine = [one for one in self.reports if getattr(one, "sandbox", "") == "other"]
        assert [type(one) for one in mine] == [SandboxReady, RunEnded], f"it has to do with another's sandbox: {mine}"
        assert [one.outcome for one in mine if isinstance(one, RunEnded)] == [Ok(b"well", "", 200)]
        most, may = max(self.runtime.by_turn.values(), default=0), 2 * TURN
        if self._fate():
            may += LAST_FRAMES * (1 + LAST_READS)
        assert most <= may, f"it takes more than its turn: {most}"

    def _end(self, orders: int) -> None:
        """All processes of the story end, and who forked them says so. Others still hold the ends of their pipes."""
        for process in (self.template, self.other, self.later):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for number in (TEMPLATE, OTHER, LATER):
            self.zygote.say(wire.ENDED, number, wire.STATUS.pack(9))
        end = time.monotonic() + PATIENCE_S
        while self.runtime._processes and time.monotonic() < end:
            self.loop.wait(0.05)
        if orders >= 0:
            self._take_all(orders)
        for descriptor in self.held:
            os.close(descriptor)
        self.zygote.close()
        self.loop.turns(2)

    def _take_all(self, orders: int) -> None:
        with socket.socket(fileno=os.dup(orders)) as far:
            far.settimeout(0)
            with contextlib.suppress(OSError):
                while True:
                    _, found, _, _ = socket.recv_fds(far, BIRTH.size, 8)
                    self.held += found
                    if not _:
                        break

    def _everything_has_ended(self) -> None:
        self.loop.raise_trouble()
        runtime = self.runtime
        left = {
            "processes": runtime._processes,
            "sandboxes": runtime._sandboxes,
            "templates": runtime._templates,
            "births": runtime._births,
        }
        assert not any(left.values()), f"something never ends: {left}"
        assert runtime._frames.held == 0, "room is left over"
        for name, (begun, failed_, gone) in {
            "t": (TemplateReady, TemplateFailed, TemplateGone),
            **dict.fromkeys(("s1", "s2", "other", "later"), (SandboxReady, SandboxFailed, SandboxGone)),
        }.items():
            mine = [type(one) for one in self.reports if getattr(one, "template", getattr(one, "sandbox", "")) == name]
            ends = [kind for kind in mine if kind in (begun, failed_, gone)]
            assert ends in ([failed_], [begun, gone]), f"{name} is reported as {ends}"
        assert left_open(self.before, self.loop) == [], "a descriptor is left open"


# Frames.


def imported() -> dict[str, Any]:
    return times() | {
        "handler": "main:handler",
        "signature": "named",
        "unfit": "",
        "notes": ["TZ"],
        "event": "plain",
        "memory_kb": 10_000,
        "logs": "hello\n",
    }


def failed() -> dict[str, Any]:
    return {"code": "bad_function", "message": "it raised", "hint": "mend it", "traceback": "Traceback", "logs": "l"}


def made(number: int, pid: int) -> bytes:
    return frame(wire.MADE, number, wire.PROCESS.pack(pid))


def drawn(chance: Random) -> bytes:
    kind = chance.choice(KINDS) if chance.random() < 0.95 else chance.choice(STRANGE)
    number = (
        chance.choice((FIRST, FIRST, SECOND, OTHER, LATER, TEMPLATE))
        if chance.random() < 0.9
        else chance.choice((0, 6, (1 << 32) - 1))
    )
    is_odd = chance.random() < 0.3
    match kind:
        case wire.READY:
            payload = as_json(odd(imported(), chance) if is_odd else imported())
        case wire.FAILED:
            payload = as_json(odd(failed(), chance) if is_odd else failed())
        case wire.MADE:
            payload = wire.PROCESS.pack(
                chance.choice((1, 2, 3, 4, 5, 6, 0, 99_999, (1 << 32) - 1) if is_odd else (1, 2))
            )
        case wire.ENDED:
            payload = wire.STATUS.pack(chance.choice((0, 9, 256, -1, 0x7F, 1 << 30)))
        case wire.REFUSED:
            payload = chance.choice((b"", b"no", b"\xff", b"x" * 3000))
        case _:
            payload = chance.choice((b"", b"x", b"{}"))
    if chance.random() < 0.08:
        payload = payload[: chance.randint(0, len(payload))]
    return frame(kind, number, payload)
