"""Pods of a Kubernetes cluster as a worker's runtime: an API server is told of them and says what becomes of them, and
their programs are asked over HTTP at their addresses."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

from attacca.errors import AttaccaError
from attacca.kernel.clock import Clock
from attacca.model.function import HANDLER_MOST, EventShape, PodImage, Revision, Signature
from attacca.model.invocation import Invocation, Making
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import (
    SandboxReady,
    Sink,
    TemplateReady,
)
from attacca.worker.runtime.kubernetes import facts, manifests, printing, reach
from attacca.worker.runtime.kubernetes.api import Declined, Server, pause_s
from attacca.worker.runtime.kubernetes.facts import Pod
from attacca.worker.runtime.kubernetes.manifests import PORT, RUN, WORKER, Owner, selector
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.sandbox import SERVE, PodSandbox, source_of
from attacca.worker.runtime.kubernetes.standing import Standing, start_failed
from attacca.worker.runtime.kubernetes.watch import Pods
from attacca.worker.runtime.process.description import Secret, no_secret, variables

UNFIT = "a pod is not forked"
CLOSE_S = 10.0  # for the API server to take that all is over
LET_GO_S = 10.0  # where it takes nothing, until what is not wanted any more is taken for gone
CONFLICT = 409
LET_IN = "network policies are to let the worker in (kubernetes.callers)"
DELETED = "its pod was deleted, by its node or by somebody"
WORDS = re.compile(r"[\w-]+")
Nap = Callable[[float], Awaitable[None]]


class KubernetesRuntime:
    """Implements `worker.runtime.types.Runtime`. `run` is another one at each start of the worker."""

    has_events: ClassVar[bool] = False

    def __init__(
        self,
        connect: Callable[[], tuple[Server, str]],
        options: KubernetesOptions,
        clock: Clock,
        identity: str,
        run: str,
        space_mb: int = 64,
        secret: Secret = no_secret,
        nap: Nap = asyncio.sleep,
        home: str = "",
    ) -> None:
        """`connect` opens a way to an API server, and says the namespace. `home`: that of the pod that we are in."""
        self._connect, self._options, self._clock = connect, options, clock
        self._identity, self._run, self._space_mb = identity, run, space_mb
        self._secret, self._nap, self._home = secret, nap, home
        self.sandboxes: dict[str, PodSandbox] = {}
        self._pods: dict[str, PodSandbox] = {}  # the same, by their pods
        self._tending: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._removing: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._server: Server
        self._standing: Standing
        self._sink: Sink

    def __repr__(self) -> str:
        ready = sum(one.is_ready for one in self.sandboxes.values())
        return f"<KubernetesRuntime {ready} of {len(self.sandboxes)} pods ready, {len(self._removing)} being removed>"

    async def open(self, sink: Sink) -> None:
        """Whether the cluster is there shows when somebody wants a pod."""
        self._loop, self._sink = asyncio.get_running_loop(), sink
        self._server, namespace = self._connect()
        callers = partial(reach.callers, self._options.callers, self._home)
        self._standing = Standing(self._server, namespace, self._identity, self._run, callers, self._nap)
        self._path = self._standing.place("pods")
        self._tending = self._loop.create_task(self._tend())

    async def close(self) -> None:
        self._is_closing = True
        for sandbox in list(self.sandboxes.values()):
            self._kill(sandbox, "its runtime was closed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                while self._removing:
                    await asyncio.wait(self._removing)
        await _ended([self._tending, self._renewing, *self._removing])
        for sandbox in list(self.sandboxes.values()):
            self._over(sandbox)
        with contextlib.suppress(TimeoutError, Declined):
            async with asyncio.timeout(CLOSE_S):
                await self._standing.quiet()
                if self._standing.owner is not None:
                    await self._standing.end()
        await self._server.close()

    # the worker's orders

    def make_template(self, template: str, revision: Revision) -> None:
        self._make(template, revision, is_template=True)

    def drop_template(self, template: str) -> None:
        self.kill(template)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        made = self._make(sandbox, revision, is_template=False)
        if template is not None and template not in self.sandboxes:
            self._give_up(made, "sandbox_lost", "its template is gone")

    def kill(self, sandbox: str) -> None:
        if (found := self.sandboxes.get(sandbox)) is not None:
            self._kill(found, "it was evicted")

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        if (found := self.sandboxes.get(sandbox)) is not None:
            found.run(invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        if (found := self.sandboxes.get(sandbox)) is not None:
            found.stop(invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        if (found := self.sandboxes.get(sandbox)) is not None:
            found.body(invocation, data, last=last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        if (found := self.sandboxes.get(sandbox)) is not None:
            found.flow(invocation, paused=paused)

    def leave(self, sandbox: str, invocation: str) -> None: ...
    def tell(self, sandbox: str, word: ToSandbox) -> None: ...

    # what there is in the cluster

    async def _tend(self) -> None:
        await self._standing.begin()
        which = f"{selector(self._identity)},{RUN}={self._run}"
        await Pods(self._server, self._path, which, self._hear, self._gone, self._nap).follow()

    def _hear(self, pod: Pod) -> None:
        if pod.metadata.labels.get(WORKER) != self._identity:
            return
        sandbox = self._pods.get(pod.metadata.name)
        if sandbox is None or sandbox.is_buried:
            return
        if sandbox.hear(pod):
            self._standing.asks_from(source_of(sandbox.address))
        hopeless = facts.hopeless(pod)
        if sandbox.is_doomed:
            return
        if pod.is_over:
            self._bury(sandbox, facts.ending(pod, sandbox.revision.settings))
        elif hopeless is not None and not sandbox.is_ready:
            self._give_up(sandbox, hopeless.code, hopeless.message)
        elif pod.metadata.deletion_timestamp is not None:
            sandbox.leave(self._lose)
            self._see_to_owner()
        elif pod.runs and sandbox.logging is None:
            sandbox.logging = self._loop.create_task(printing.follow(self._server, self._path, sandbox, self._nap))

    def _gone(self, name: str) -> None:
        if (sandbox := self._pods.get(name)) is not None and not sandbox.is_doomed and not sandbox.is_buried:
            self._lose(sandbox)
            self._see_to_owner()

    def _lose(self, sandbox: PodSandbox) -> None:
        if not sandbox.is_doomed and not sandbox.is_buried:
            sandbox.is_doomed = True
            sandbox.failure = ("sandbox_lost" if sandbox.is_ready else "start_failed", DELETED)
            self._over(sandbox)
            self._remove(sandbox)

    def _see_to_owner(self) -> None:
        """Who deletes what stands for a worker has all of its pods deleted, also those that are still to come."""
        self._standing.doubt()
        if self._renewing is None or self._renewing.done():
            self._renewing = self._loop.create_task(self._renew())

    async def _renew(self) -> None:
        if not await self._standing.still() and not self._is_closing:
            await self._standing.begin(is_first=False)

    # starts

    def _make(self, name: str, revision: Revision, *, is_template: bool) -> PodSandbox:
        sandbox = PodSandbox(name, revision, self._clock, self._sink, is_template=is_template)
        self.sandboxes[name] = sandbox
        sandbox.timer = self._loop.call_later(self._options.start_timeout_s, self._too_late, sandbox)
        sandbox.task = self._loop.create_task(self._start(sandbox))
        return sandbox

    async def _start(self, sandbox: PodSandbox) -> None:
        try:
            owner = await self._standing.ready()
            sandbox.pod = manifests.pod_name(owner, sandbox.revision, sandbox.name)
            secrets = self._secrets(sandbox.revision)
            self._pods[sandbox.pod] = sandbox
            sandbox.posting = self._loop.create_task(self._post(sandbox, owner, secrets))
            await asyncio.shield(sandbox.posting)
            await sandbox.until_served()
        except AttaccaError as error:
            self._give_up(sandbox, error.code, f"{error.message} ({error.hint})" if error.hint else error.message)
        else:
            self._ready(sandbox)

    def _secrets(self, revision: Revision) -> dict[str, bytes]:
        """
        Raises:
            AttaccaError: one is not to be had, or cannot be a variable.
        """
        variables(revision, self._secret)
        return {name: self._secret(name) for name in revision.settings.secrets}

    async def _post(self, sandbox: PodSandbox, owner: Owner, secrets: dict[str, bytes]) -> None:
        revision, name = sandbox.revision, sandbox.pod
        if secrets:
            await self._insist(
                sandbox, self._standing.place("secrets"), manifests.secret(name, owner, revision, secrets)
            )
        if revision.settings.allow:
            await self._insist(sandbox, self._standing.policies, reach.allowed(name, owner, revision))
        pod = manifests.pod(name, owner, revision, self._options, self._space_mb)
        await self._insist(sandbox, self._path, pod)

    async def _insist(self, sandbox: PodSandbox, path: str, told: object) -> None:
        """Until it is there below `path`, or nobody wants it any more.

        Raises:
            StartFailed: it is refused for good.
        """
        tries = 0
        while not sandbox.is_doomed:
            try:
                await self._server.ask("POST", path, told)
            except Declined as error:
                if error.status == CONFLICT and error.reason == "AlreadyExists":
                    return  # by a try of ours of whose answer we have not heard: nobody else calls one so
                tries += 1
                if not error.may_mend(tries):
                    raise start_failed(error) from None
                await self._nap(pause_s(tries, error.retry_after_s))
            else:
                return

    def _too_late(self, sandbox: PodSandbox) -> None:
        seconds = self._options.start_timeout_s
        within = f"within {seconds:g} s (kubernetes.start_timeout_s of the server)"
        held_up = self._standing.why or facts.held_up(sandbox.fact)
        if held_up:
            self._give_up(sandbox, "timeout", f"its pod did not begin {within}: {held_up}")
        else:
            self._give_up(
                sandbox, "timeout", f"nobody listened on {sandbox.address}:{PORT} {within}: {SERVE}, and {LET_IN}"
            )

    def _ready(self, sandbox: PodSandbox) -> None:
        if sandbox.is_doomed or sandbox.is_buried or sandbox.name not in self.sandboxes:
            return
        sandbox.is_ready = True
        if sandbox.timer is not None:
            sandbox.timer.cancel()
        now, settings = self._clock.now(), sandbox.revision.settings
        whole = Making((now - sandbox.ordered_at) * 1e3)  # the cluster does not say what of it the image took
        made = whole.knowing(readiness=(now - sandbox.placed_at) * 1e3)
        if sandbox.is_template:
            handler = settings.handler or called(sandbox.revision)
            told = (sandbox.name, handler, Signature.WSGI, settings.memory_mb, made, EventShape.PLAIN)
            self._sink(TemplateReady(*told, unfit=UNFIT))
        else:
            self._sink(SandboxReady(sandbox.name, made))

    # ends

    def _kill(self, sandbox: PodSandbox, why: str) -> None:
        if not sandbox.is_doomed and not sandbox.is_buried:
            self._give_up(sandbox, "sandbox_lost" if sandbox.is_ready else "start_failed", why)

    def _give_up(self, sandbox: PodSandbox, code: str, why: str) -> None:
        """Why it ends is known now; that it has ended, when the API server has taken it."""
        if sandbox.is_doomed or sandbox.is_buried or sandbox.name not in self.sandboxes:
            return
        sandbox.is_doomed, sandbox.failure = True, (code, why)
        if sandbox.posting is None:
            self._loop.call_soon(self._over, sandbox)
        else:
            self._remove(sandbox)

    def _bury(self, sandbox: PodSandbox, end: facts.PodEnd) -> None:
        """It has ended by itself: what it printed is read, and then its pod is deleted."""
        sandbox.is_buried, sandbox.failure = True, (end.code, end.message)
        if sandbox.is_ready:
            self._over(sandbox)
        self._remove(sandbox)

    def _remove(self, sandbox: PodSandbox) -> None:
        """And then it is over; also where nobody takes it for long, but not before its start was ended."""
        self._loop.call_later(LET_GO_S, self._over, sandbox)
        task = self._loop.create_task(self._delete(sandbox))
        self._removing.add(task)
        task.add_done_callback(self._removing.discard)

    async def _delete(self, sandbox: PodSandbox) -> None:
        if sandbox.posting is not None:
            await asyncio.wait([sandbox.posting])
            if not sandbox.posting.cancelled():
                sandbox.posting.exception()  # it was told already
        if sandbox.is_buried:
            await printing.finish(self._server, self._path, sandbox)
        if sandbox.logging is not None:
            sandbox.logging.cancel()
        if sandbox.revision.settings.secrets:
            await self._insist_on_end(self._standing.place("secrets"), sandbox.pod)
        if sandbox.revision.settings.allow:
            await self._insist_on_end(self._standing.policies, sandbox.pod)
        await self._insist_on_end(self._path, sandbox.pod)
        self._pods.pop(sandbox.pod, None)
        self._over(sandbox)

    async def _insist_on_end(self, path: str, name: str) -> None:
        tries = 0
        while True:
            try:
                await self._standing.delete(path, name)
            except Declined as error:
                tries += 1
                await self._nap(pause_s(tries, error.retry_after_s))
            else:
                return

    def _over(self, sandbox: PodSandbox) -> None:
        if self.sandboxes.get(sandbox.name) is sandbox:
            del self.sandboxes[sandbox.name]
            sandbox.close()
            self._sink(sandbox.report())


def called(revision: Revision) -> str:
    """Its image, as a handler may be called."""
    assert isinstance(revision.artefact, PodImage)
    name = revision.artefact.reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return ".".join(WORDS.findall(name))[:HANDLER_MOST].rstrip(".") or "image"


async def _ended(tasks: list[asyncio.Task[None] | None]) -> None:
    there = [task for task in tasks if task is not None]
    for task in there:
        task.cancel()
    await asyncio.gather(*there, return_exceptions=True)
