"""A runtime around another, that changes some of what is asked of it: the rest passes through."""

from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.events import ToSandbox
from attacca.worker.runtime.types import Runtime


class Around:
    """What of a `types.Runtime` is said to `inner` as it comes."""

    _inner: Runtime

    @property
    def has_events(self) -> bool:
        return self._inner.has_events

    async def close(self) -> None:
        await self._inner.close()

    def make_template(self, template: str, revision: Revision) -> None:
        self._inner.make_template(template, revision)

    def drop_template(self, template: str) -> None:
        self._inner.drop_template(template)

    def kill(self, sandbox: str) -> None:
        self._inner.kill(sandbox)

    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        self._inner.run(sandbox, revision, invocation)

    def stop(self, sandbox: str, invocation: str) -> None:
        self._inner.stop(sandbox, invocation)

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None:  # noqa: FBT001 - mirrors messages.Body
        self._inner.body(sandbox, invocation, data, last)

    def flow(self, sandbox: str, invocation: str, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        self._inner.flow(sandbox, invocation, paused)

    def tell(self, sandbox: str, word: ToSandbox) -> None:
        self._inner.tell(sandbox, word)

    def leave(self, sandbox: str, invocation: str) -> None:
        self._inner.leave(sandbox, invocation)
