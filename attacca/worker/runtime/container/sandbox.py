"""One container, from the order to its end, as its worker sees it.

ordered ──▶ its image and its network are there ──▶ started ──▶ somebody listens on $PORT: ready ──▶ ended
                                                           └──▶ or asks for its first event: ready ─┘
"""

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from attacca.errors import BadFunction
from attacca.guest.payload import BadInput
from attacca.kernel.clock import Clock
from attacca.model.function import Revision, Signature
from attacca.model.image import AGENTS, Contract
from attacca.model.invocation import Failed, Invocation, Ok, Outcome, Request
from attacca.model.messages import Logged
from attacca.model.publishing import Published
from attacca.worker.core.reports import Report, RunEnded
from attacca.worker.host.cgroups import Group
from attacca.worker.host.nat.outside import Cable
from attacca.worker.host.network import Namespace, Networks
from attacca.worker.runtime.container import contracts
from attacca.worker.runtime.container.agent_socket import AgentSocket
from attacca.worker.runtime.container.errands import Errands
from attacca.worker.runtime.container.lambda_api import LambdaApi
from attacca.worker.runtime.container.output import Output
from attacca.worker.runtime.container.patience import pause_s
from attacca.worker.runtime.container.translation import event_of, outcome_of, refused, unwrapped
from attacca.worker.runtime.container.upstream import Upstream, begun, connect, get, is_open

OK = 200
BAD_INPUT = "send what the message asks for, as JSON: attacca invoke NAME -d '{...}'"
ALONE = "leave concurrency out, or let it serve HTTP on $PORT"
SAYS_SO = "it says so itself"
JSON = "application/json"


class Container:
    """`say` tells its keeper what to do, or to look whether it is about to end. Of its runs `sink` hears."""

    def __init__(
        self,
        name: str,
        revision: Revision,
        clock: Clock,
        sink: Callable[[Report], None],
        say: Callable[[str, str], None],
        pause_after_s: float | None = None,
    ) -> None:
        self.name = self.called = name  # of its sandbox, and as its engine calls it
        self.revision = revision
        self._clock, self._sink, self._say = clock, sink, say
        self._pause_after_s, self._is_paused = pause_after_s, False
        self._rest: asyncio.TimerHandle | None = None  # until it is paused
        self._loop = asyncio.get_running_loop()
        self.output = Output(self._loop, self._printed)
        self.pid = 0  # of its first process; 0: it has not started, or nobody knows
        self.group: Group | None = None  # ours: its engine has made its own
        self.network: Namespace | None = None
        self.line: Cable | None = None  # out of it
        self.port, self.program = 0, ""
        self.task: asyncio.Task[None] | None = None  # that makes it
        self.ordered_at, self.started_at, self.image_ms, self.network_ms = clock.now(), 0.0, 0.0, 0.0
        self.quiet_s = 0.0  # since it was started, for which nobody need look whether it listens
        self.contract: Contract | None = None  # None: whichever it begins
        self.most = 0  # bytes of an answer that comes in one piece
        self.api: LambdaApi | None = None
        self.is_asking = False  # it asks for its events
        self._agent: AgentSocket | None = None  # over which it is asked
        self.is_template = self.is_kept = self.is_ready = False  # is_kept: its keeper knows of it
        self.is_doomed = False
        self.failure = ("", "")  # why it was given up, as a code and in words
        self.timer: asyncio.TimerHandle | None = None
        self.is_ahead = False  # it is created before anybody wants it
        self.created: asyncio.Future[None] = self._loop.create_future()
        self.started: asyncio.Future[None] = self._loop.create_future()
        self._root: asyncio.Future[int] = self._loop.create_future()  # that it sees, where it is asked for
        self._errands = Errands(name, sink, self._dial, self._look, self._end)
        self._door: socket.socket | None = None  # at which is looked whether somebody listens
        self._began: dict[str, float] = {}
        self._visits = 0  # of who came by a port that it publishes
        self.published: list[Published] = []

    def __repr__(self) -> str:
        state = (
            "doomed" if self.is_doomed else "paused" if self._is_paused else "ready" if self.is_ready else "starting"
        )
        return (
            f"<Container {self.name} {state}, {len(self._began)} running, {len(self._errands.idle)} connections idle>"
        )

    # its start

    async def listen(self) -> None:
        """For who asks for its events, before it begins; where it may.

        Raises:
            OSError: nothing can listen there.
        """
        network = self.network
        if self.contract in (None, Contract.LAMBDA) and network is not None and network.descriptor >= 0:
            self.api = LambdaApi(self.revision, self.most, self._clock, self._concluded)
            await self.api.open(network)

    def was_created(self) -> None:
        """It waits until somebody wants it."""
        if self.timer is not None:
            self.timer.cancel()
        if not self.created.done():
            self.created.set_result(None)

    def was_started(self, pid: int, quiet_s: float, networks: Networks) -> None:
        self.started_at, self.quiet_s, self.pid = self._clock.now(), quiet_s, pid
        if pid and self.network is None:
            self.network = networks.of(pid)
        if not self.started.done():
            self.started.set_result(None)

    def become(self, sandbox: str, revision: Revision) -> None:
        """Of that sandbox from now on."""
        self.is_ahead, self.name, self.revision = False, sandbox, revision
        self.ordered_at, self.image_ms, self.network_ms = self._clock.now(), 0.0, 0.0
        self._errands.sandbox = sandbox

    async def until_served(self) -> None:
        """Somebody listens on its port, and says that it is well if that is asked of it; or it asks for an event. The
        connection is kept for the first who comes.

        Raises:
            BadFunction: it says that it cannot.
        """
        await self.started  # before, nobody of it can listen, and who looks is in the engine's way
        if self.network is None:  # it had none any more: its end is told next
            await self._loop.create_future()
        if self.contract in AGENTS:
            await self._until_agent()
            return
        if self.contract is Contract.LAMBDA:
            assert self.api is not None
            await self.api.asked.wait()
        began = self._clock.now()
        if self.quiet_s and (self.api is None or not self.api.asked.is_set()):
            await asyncio.sleep(self.quiet_s)
        while self.api is None or not self.api.asked.is_set():
            if await self._is_served():
                self._mute()
                return
            await asyncio.sleep(pause_s(self._clock.now() - began))
        if (error := self.api.init_error) is not None:
            notes = "\n".join(getattr(error, "__notes__", ()))
            raise BadFunction(
                f"{self.program} could not start: {type(error).__name__}: {error}\n{notes}".strip(), SAYS_SO
            )
        if self.revision.settings.concurrency > 1:
            count = self.revision.settings.concurrency
            raise BadFunction(f"{self.program} takes one event after the other, and concurrency is {count}", ALONE)
        self.is_asking = True

    async def _until_agent(self) -> None:
        """It serves HTTP or its socket, and the other may be somebody's who never answers."""
        over = (
            (self._until_socket,) if self.contract is Contract.ILUVATAR_UNIX else (self._until_http, self._until_socket)
        )
        ways = [self._loop.create_task(way()) for way in over]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            way.result()
        if self._errands.idle and self._agent is not None:
            self._agent.close()
            self._agent = None

    async def _until_http(self) -> None:
        began = self._clock.now()
        while True:
            if await self._is_served():
                return
            await asyncio.sleep(pause_s(self._clock.now() - began))

    async def _until_socket(self) -> None:
        await self.started
        self._say("root", self.called)
        agent = self._agent = AgentSocket(await self._root, self.most, self._look, self._end)
        began = self._clock.now()
        while True:
            try:
                status = await agent.status()
            except (OSError, OverflowError):
                await asyncio.sleep(pause_s(self._clock.now() - began))
            else:
                if (why := refused(status)) is not None:
                    raise BadFunction(f"its agent answers: {why}", SAYS_SO)
                return

    def rooted(self, root: int) -> None:
        """Its root was opened, and is ours; -1: it is gone."""
        if self._root.done() or root < 0:
            if root >= 0:
                os.close(root)
        else:
            self._root.set_result(root)

    async def _is_served(self) -> bool:
        assert self.network is not None
        try:
            self._door = self._door or self.network.socket()
            if not is_open(self._door, self.port):
                return False
            door, self._door = self._door, None
            upstream = await begun(door)
        except OSError:
            self._shut()
            return False
        if self.contract in contracts.HEALTH:
            try:
                status, body = await get(upstream, contracts.HEALTH[self.contract], self.port)
            except OSError:
                status, body = 0, b""
            except asyncio.CancelledError:
                upstream.close()
                raise
            if status != OK:
                upstream.close()
                if self.contract is Contract.ILUVATAR and status:
                    raise BadFunction(f"its agent answers {status}: {body.decode('utf-8', 'replace')}", SAYS_SO)
                return False
        self._errands.idle.append(upstream)
        return True

    def _shut(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None

    def _mute(self) -> None:
        if self.api is not None:
            self.api.close()
            self.api = None

    @property
    def signature(self) -> Signature:
        return contracts.signature(self.contract, is_asking=self.is_asking)

    # orders

    def run(self, invocation: Invocation) -> None:
        self._wake()
        name = invocation.id
        self._began[name] = self._loop.time()
        whole = 0
        if self.is_asking or self.contract in AGENTS:
            try:
                event = event_of(invocation, self.revision, is_object=not self.is_asking)
            except BadInput as error:
                self._loop.call_soon(self._conclude, name, Failed("bad_request", str(error), BAD_INPUT))
                return
            if self.api is not None:
                self.api.ask(name, event)
                return
            if self._agent is not None:
                self._agent.run(name, event)
                return
            told = Request(body=event, content_type=JSON, method="POST", path="/invoke")
            invocation, whole = msgspec.structs.replace(invocation, request=told), self.most
        self._errands.run(invocation, self.port, whole)

    async def _dial(self) -> Upstream:
        assert self.network is not None
        return await connect(self.network.socket(), self.port)

    def stop(self, invocation: str) -> None:
        self._errands.stop(invocation)
        if self._agent is not None:
            self._agent.stop(invocation)

    def body(self, invocation: str, data: bytes, *, last: bool) -> None:
        self._errands.body(invocation, data, last=last)

    def flow(self, invocation: str, *, paused: bool) -> None:
        self._errands.flow(invocation, paused=paused)

    def leave(self, invocation: str) -> None:
        """Its client is gone; of an answer that has begun the program learns by its connection."""

    def close(self) -> str:
        """Let go of everything; its last words."""
        self._is_paused, self._pause_after_s = False, None  # its keeper has thawed it, to end it
        if self._rest is not None:
            self._rest.cancel()
        if self.timer is not None:
            self.timer.cancel()
        self._errands.close()
        if self._agent is not None:
            self._agent.close()
        if self._root.done() and not self._root.cancelled():
            os.close(self._root.result())
            self._root = self._loop.create_future()
        self._root.cancel()
        self._began.clear()
        self._mute()
        self._shut()
        if self.network is not None:
            self.network.close()
        self.created.cancel()
        self.started.cancel()
        return self.output.close()

    # what it does while nobody asks

    def rest(self) -> None:
        """It is ready, or has ended a run. Where nothing runs, it is paused after a while."""
        if self._pause_after_s is not None and not (self._began or self._visits) and self._rest is None:
            self._rest = self._loop.call_later(self._pause_after_s, self._pause)

    def _pause(self) -> None:
        self._rest, self._is_paused = None, True
        self._say("pause", self.called)

    def _wake(self) -> None:
        """What is sent to it meanwhile waits in its sockets."""
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._is_paused:
            self._is_paused = False
            self._say("resume", self.called)

    def visit(self, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        """For a connection past invocations, or another kind of socket, until `left`.

        Raises:
            OSError: it is gone.
        """
        if self.network is None or self.network.descriptor < 0:
            raise OSError(errno.ENETUNREACH, "it is gone")
        sock = self.network.socket(kind)
        self._visits += 1
        self._wake()
        return sock

    def left(self) -> None:
        self._visits -= 1
        self.rest()

    # what comes of runs

    def alive(self) -> None:
        self._errands.alive()
        if self._agent is not None:
            self._agent.alive()

    def _look(self) -> None:
        self._say("look", self.called)

    def _end(self, invocation: str, outcome: Outcome) -> None:
        if self.contract in AGENTS and isinstance(outcome, Ok):
            outcome = unwrapped(outcome)
        self._conclude(invocation, outcome)

    def _concluded(self, invocation: str, result: Any) -> None:
        """Of one that asks for its events."""
        self._conclude(invocation, outcome_of(result, self.revision))

    def _conclude(self, invocation: str, outcome: Outcome) -> None:
        if invocation not in self._began:
            return
        while self.output.read():
            pass
        run_ms = (self._loop.time() - self._began.pop(invocation)) * 1e3
        self._sink(RunEnded(self.name, invocation, outcome, run_ms))
        self.rest()

    def told(self, text: str) -> None:
        """Of its network, for its log."""
        self._sink(Logged(self.revision.function, self.revision.id, self.name, "", "network", text))

    def _printed(self, data: bytes) -> None:
        alone = next(iter(self._began)) if len(self._began) == 1 else ""
        of = self.revision
        self._sink(Logged(of.function, of.id, self.name, alone, "stdout", data.decode("utf-8", "replace")))
