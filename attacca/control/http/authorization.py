"""Authorization of the admin API: what the API is shown of the other planes, and who may come in."""

import os
from collections.abc import AsyncIterator, MutableMapping, Sequence
from typing import Any, Protocol

from attacca.control.async_calls import Calls
from attacca.control.driver import Control
from attacca.kernel.access import Asked, Door, Refusal, caller, refuse
from attacca.model.invocation import Call
from attacca.model.log import LogLine
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment

Scope = MutableMapping[str, Any]
SCHEMA = "/api/schema/"


class Observe(Protocol):
    """What the API shows of the other planes."""

    @property
    def journal(self) -> Calls:
        """Of asynchronous calls, as gateways share it."""

    async def workers(self, function: str | None = None) -> Sequence[WorkerView]:
        """With what they do for that function alone, or, empty, for none."""

    async def story(self, subject: str) -> Sequence[Moment]:
        """What has happened lately to an invocation or a sandbox, in the order of time."""

    async def calls(self, function: str | None, limit: int, call: str = "") -> Sequence[Call]:
        """The newest ended invocations, at most `limit`; or the one of that name, with its trace."""

    def logs(self, function: str, since_s: float | None, follow: bool) -> AsyncIterator[LogLine]:  # noqa: FBT001 - mirrors Observe
        """`since_s`: how many seconds back; None: all that is kept."""

    def info(self) -> dict[str, Any]:
        """Facts about the server for people and programs."""


def door(*, is_loopback: bool) -> Door:
    """Who owns this process is who owns the server."""
    return Door(os.getuid(), is_loopback)


def refuse_scope(scope: Scope, access: Door, control: Control) -> Refusal | None:
    """The access rule applied to a request."""
    asked = Asked.SCHEMA if f"{scope['path']}/".startswith(SCHEMA) else Asked.OPERATION
    peer_uid = scope.get("state", {}).get("peer_uid", _nobody)
    is_known = control.tokens.is_known
    return refuse(access, caller(scope["headers"]), asked, is_known, peer_uid, is_uid_shared=control.is_uid_shared)


def _nobody() -> None:
    """Whoever carries requests here cannot tell who sends them."""
