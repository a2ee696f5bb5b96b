"""The runtimes that a worker has, as one: each revision is the business of the one for its kind of artefact."""

import asyncio
from collections.abc import Mapping

from attacca.errors import RuntimeMissing
from attacca.model.function import Artefact, MicroVm, PodImage, Revision, WasmFunction, WasmModule
from attacca.model.invocation import Invocation
from attacca.worker.core.events import Hand, ToSandbox
from attacca.worker.core.reports import SandboxFailed, Sink, TemplateFailed
from attacca.worker.runtime.types import Runtime

HINT = "deploy it on a server that has the runtime for it"


class Router:
    """Keeps no books of its own: an order that names no revision is told to all, and all but one do not know the name.

    What none of them can run is answered as a start that failed.
    """

    def __init__(self, runtimes: Mapping[type[Artefact], Runtime]) -> None:
        self._runtimes = dict(runtimes)
        self._all = tuple({id(runtime): runtime for runtime in self._runtimes.values()}.values())
        self._open: list[Runtime] = []

    def __repr__(self) -> str:
        kinds = ", ".join(kind.__name__ for kind in self._runtimes)
        return f"<Router {len(self._open)} of {len(self._all)} open: {kinds}>"

    @property
    def has_events(self) -> bool:
        return bool(with_events(self._runtimes))

    async def open(self, sink: Sink) -> None:
        """
        Raises:
            IsolationMissing: a runtime cannot give what was asked for; none is open then.
        """
        self._sink, self._loop = sink, asyncio.get_running_loop()
        try:
            for runtime in self._all:
                await runtime.open(sink)
                self._open.append(runtime)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """All at once: who closes first waits for what it shares with those that live on."""
        closing, self._open = self._open, []
        await asyncio.gather(*(runtime.close() for runtime in closing))

    def make_template(self, template: str, revision: Revision) -> None:
        runtime = self._runtimes.get(type(revision.artefact))
        if runtime is None:
            why = missing(revision.artefact)
            self._loop.call_soon(self._sink, TemplateFailed(template, why.code, why.message, hint=why.hint))
        else:
            runtime.make_template(template, revision)

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        runtime = self._runtimes.get(type(revision.artefact))
        if runtime is None:
            why = missing(revision.artefact)
            self._loop.call_soon(self._sink, SandboxFailed(sandbox, why.code, why.message))
        else:
            runtime.make_sandbox(sandbox, revision, template)

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        self._runtimes[type(revision.artefact)].run(sandbox, revision, invocation)

    def drop_template(self, template: str) -> None:
        for runtime in self._all:
            runtime.drop_template(template)

    def kill(self, sandbox: str) -> None:
        for runtime in self._all:
            runtime.kill(sandbox)

    def stop(self, sandbox: str, invocation: str) -> None:
        for runtime in self._all:
            runtime.stop(sandbox, invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        for runtime in self._all:
            runtime.body(sandbox, invocation, data, last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        for runtime in self._all:
            runtime.flow(sandbox, invocation, paused)

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        if type(word) is Hand:  # as often as `run`
            self._runtimes[type(word.revision.artefact)].tell(sandbox, word)
            return
        for runtime in self._all:
            runtime.tell(sandbox, word)

    def leave(self, sandbox: str, invocation: str) -> None:
        for runtime in self._all:
            runtime.leave(sandbox, invocation)


def with_events(runtimes: Mapping[type[Artefact], Runtime]) -> tuple[str, ...]:
    """The kinds of code that may be event functions here, as a machine tells them."""
    return tuple(sorted(kind.what for kind, runtime in runtimes.items() if runtime.has_events))


def missing(artefact: Artefact) -> RuntimeMissing:
    if isinstance(artefact, WasmModule | WasmFunction):
        text = f"the runtime for {artefact.what} is not installed"
        return RuntimeMissing(text, "where the server's worker runs: pip install 'attacca[wasm]'")
    if isinstance(artefact, PodImage):
        return RuntimeMissing(
            f"{artefact.what} needs one that the worker knows", "set kubernetes.kubeconfig of the server"
        )
    if isinstance(artefact, MicroVm):
        return RuntimeMissing("there are no micro-VMs here", "`attacca doctor` says what they need")
    return RuntimeMissing(f"the runtime for {artefact.what} is not installed", HINT)
