"""The admin API as an ASGI application. What it answers is in `routes`, who may ask in `authorization`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from attacca.control.driver import Control
from attacca.control.http.authorization import Observe, Scope
from attacca.kernel.access import Door

if TYPE_CHECKING:
    from litestar import Litestar

AsgiApp = Callable[[Scope, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]]


def admin(control: Control, observe: Observe, access: Door, more: Sequence[Any] = (), **given: Any) -> "Litestar":
    """An ASGI application that needs no lifespan. `more` are the handlers of others, and `given` what they work with.

    `scope["state"]["peer_uid"]` finds out who calls, if it can.

    Litestar is imported here and not above: it takes as long as the rest of the server together.
    """
    from attacca.control.http.routes import build

    return build(control, observe, access, more, **given)
