"""One pod as its worker sees it, from the order to its end.

ordered ──▶ the API server has taken it ──▶ it has an address ──▶ somebody listens on $PORT: ready ──▶ ended
"""

import asyncio
import socket
from collections.abc import Callable
from ipaddress import ip_address

from attacca.kernel.clock import Clock
from attacca.model.function import Revision
from attacca.model.invocation import Invocation, Outcome
from attacca.model.messages import Logged
from attacca.worker.core.reports import (
    Report,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    TemplateFailed,
    TemplateGone,
)
from attacca.worker.runtime.container.errands import Errands
from attacca.worker.runtime.container.output import END_BYTES
from attacca.worker.runtime.container.upstream import Upstream, connect
from attacca.worker.runtime.kubernetes.facts import Pod
from attacca.worker.runtime.kubernetes.manifests import PORT

SERVE = "its program is to listen on $PORT"
ASKS = "AWS_LAMBDA_RUNTIME_API"  # which a program names that asks for its events, and finds it missing
ASKING = f'it asks for its events at ${ASKS}, which no pod can: runtime = "container" runs such images'
FIRST_S, GROWTH, MOST_S = 0.001, 1.25, 0.25  # of the pauses between two looks for somebody who listens
DIAL_S = 3.0  # after which a packet is taken for lost
ENDING_S = 0.05  # that a process takes to let go of all its sockets
DOUBT_S = 5.0  # until the cluster has said that one has ended whose program takes no connection


class PodSandbox:
    """Of its runs `sink` hears."""

    def __init__(
        self, name: str, revision: Revision, clock: Clock, sink: Callable[[Report], None], *, is_template: bool
    ) -> None:
        self.name, self.revision, self.is_template = name, revision, is_template
        self._clock, self._sink = clock, sink
        self._loop = asyncio.get_running_loop()
        self.pod = ""  # its name in the cluster
        self.fact: Pod | None = None  # what was said of it last
        self.address = ""
        self.placed = asyncio.Event()
        self.is_ready = self.is_doomed = self.is_buried = False
        self.failure = ("", "")  # why it was given up, as a code and in words
        self.ordered_at, self.placed_at = clock.now(), 0.0
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None  # that makes it
        self.posting: asyncio.Task[None] | None = None  # of that, what the API server is told
        self.logging: asyncio.Task[None] | None = None
        self._doubting: asyncio.Task[None] | None = None
        self._end = b""  # of what it has printed
        self._errands = Errands(name, sink, self._dial, self._doubt, self._conclude)
        self._began: dict[str, float] = {}
        self._leave: Callable[[PodSandbox], None] | None = None

    def __repr__(self) -> str:
        state = "doomed" if self.is_doomed else "ready" if self.is_ready else "placed" if self.address else "ordered"
        return f"<PodSandbox {self.name} {state}, {len(self._began)} running, {len(self._errands.idle)} idle>"

    # its start

    def hear(self, pod: Pod) -> bool:
        """Whether its address was heard now."""
        self.fact = pod
        if not pod.status.pod_ip or self.address:
            return False
        self.address, self.placed_at = pod.status.pod_ip, self._clock.now()
        self.placed.set()
        return True

    async def until_served(self) -> None:
        """The connection is kept for the first who comes."""
        await self.placed.wait()
        pause = FIRST_S
        while True:
            try:
                self._errands.idle.append(await self._dial())
            except OSError:
                await asyncio.sleep(pause)
                pause = min(pause * GROWTH, MOST_S)
            else:
                return

    async def _dial(self) -> Upstream:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            async with asyncio.timeout(DIAL_S):
                return await connect(socket.socket(family), PORT, self.address)
        except TimeoutError:
            raise OSError(f"{self.address} does not answer within {DIAL_S:g} s") from None

    # orders

    def run(self, invocation: Invocation) -> None:
        self._began[invocation.id] = self._loop.time()
        self._errands.run(invocation, PORT)

    def leave(self, then: "Callable[[PodSandbox], None]") -> None:
        """Its pod is being ended: its node is drained, or somebody has deleted it. What it is at may end, for as long
        as its node lets it."""
        self._leave = then
        if not self._began:
            then(self)

    def stop(self, invocation: str) -> None:
        self._errands.stop(invocation)

    def body(self, invocation: str, data: bytes, *, last: bool) -> None:
        self._errands.body(invocation, data, last=last)

    def flow(self, invocation: str, *, paused: bool) -> None:
        self._errands.flow(invocation, paused=paused)

    def close(self) -> None:
        """Nothing of its runs is heard any more."""
        for task in (self.task, self._doubting):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        if self.timer is not None:
            self.timer.cancel()
        self._errands.close()
        self._began.clear()

    # what comes of runs

    def _conclude(self, invocation: str, outcome: Outcome) -> None:
        if (began := self._began.pop(invocation, None)) is not None:
            self._sink(RunEnded(self.name, invocation, outcome, (self._loop.time() - began) * 1e3))
            if self._leave is not None and not self._began:
                self._leave(self)

    def _doubt(self) -> None:
        if self._doubting is None:
            self._doubting = self._loop.create_task(self._look())

    async def _look(self) -> None:
        """A connection broke. The cluster may say only later that the program has ended, but nobody listens then."""
        await asyncio.sleep(ENDING_S)
        try:
            (await self._dial()).close()
        except OSError:
            await asyncio.sleep(DOUBT_S)
        self._doubting = None
        self._errands.alive()

    # what it prints

    def printed(self, data: bytes) -> None:
        self._end = (self._end + data)[-END_BYTES:]
        alone = next(iter(self._began)) if len(self._began) == 1 else ""
        of = self.revision
        self._sink(Logged(of.function, of.id, self.name, alone, "stdout", data.decode("utf-8", "replace")))

    @property
    def last_words(self) -> str:
        return self._end.decode("utf-8", "replace").strip()

    # its end

    def report(self) -> Report:
        """That it has ended, or never begun, and why."""
        code, message = self.failure
        if self.is_ready:
            code = code or "sandbox_lost"
            return TemplateGone(self.name, message) if self.is_template else SandboxGone(self.name, code, message)
        traceback = ""
        if not code:
            code, why = "bad_function", ASKING if ASKS in self.last_words else SERVE
            message = f"{message} before it listened: {why}"
            traceback = self.last_words or message
        if self.is_template:
            return TemplateFailed(self.name, code, message, traceback)
        return SandboxFailed(self.name, code, message, traceback)


def source_of(address: str) -> str:
    """The address of this machine from which packets go there; empty: none do. Nothing is sent, and nobody asked."""
    try:
        family = socket.AF_INET if ip_address(address).version == 4 else socket.AF_INET6
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, PORT))
            return str(sock.getsockname()[0])
    except (OSError, ValueError):
        return ""
