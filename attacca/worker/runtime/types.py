"""What every runtime offers: the driver gives orders, the runtime reports what came of them (`core.reports`)."""

from typing import Protocol

from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.worker.core.events import ToSandbox
from attacca.worker.core.reports import Sink


class Runtime(Protocol):
    """Orders return at once; what comes of them arrives at the sink, on the event loop, never inside the call.

    An order about a sandbox or template that is not there does nothing: it may have ended in that moment, or be another
    runtime's. `conformance` checks all of this.
    """

    @property
    def has_events(self) -> bool:
        """May what it makes be an event function? Then `tell` is heard, INIT is the first word of each, and what an
        instance sends, asks and wants to be kept is reported (EventSent, EventAsked, StateOffered). Where it may not,
        whoever places instances is told so, and places none there."""

    async def open(self, sink: Sink) -> None:
        """Get ready to make sandboxes.

        Raises:
            IsolationMissing: this machine cannot give what was asked for.
        """

    async def close(self) -> None:
        """End every sandbox and template; nothing of the runtime is left when this returns."""

    def make_template(self, template: str, revision: Revision) -> None: ...
    def drop_template(self, template: str) -> None:
        """End it. The driver does this only when no sandbox of it is left."""

    def make_sandbox(self, sandbox: str, revision: Revision, template: str | None) -> None:
        """From `template`, or, when that is None, from nothing."""

    def kill(self, sandbox: str) -> None: ...
    def run(self, sandbox: str, revision: Revision, invocation: Invocation) -> None: ...
    def stop(self, sandbox: str, invocation: str) -> None:
        """Ask the sandbox to give up one invocation and live on; it may not be able to."""

    def body(self, sandbox: str, invocation: str, data: bytes, last: bool) -> None: ...  # noqa: FBT001 - mirrors messages.Body
    def flow(self, sandbox: str, invocation: str, paused: bool) -> None: ...  # noqa: FBT001 - mirrors messages.Flow
    def tell(self, sandbox: str, word: ToSandbox) -> None:
        """To the instance of an event function. A Deliver ends in RunEnded of its delivery's id, as `run` does."""

    def leave(self, sandbox: str, invocation: str) -> None:
        """The client of a running invocation has gone; whoever can tell the function does."""
