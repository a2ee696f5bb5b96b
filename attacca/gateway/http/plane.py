"""The listener of a plane that answers no functions: its pages, and the admin API where it has one."""

from collections.abc import Callable

from attacca.errors import NotFound, NotLeading
from attacca.gateway.http.access import Access
from attacca.gateway.http.async_routes import ASYNC_FUNCTION, CALLS
from attacca.gateway.http.handler import Action, Admin, Handler, Refuse, Serve
from attacca.gateway.http.pages import Shown, page
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Whole
from attacca.gateway.http.target import Kind, Target, Targets, is_dashboard, is_registry


class PlanePages:
    """A `Handler`. `functions_at`: the URL of a gateway, to which whoever calls a function is sent; empty: none is
    known."""

    def __init__(
        self,
        plane: Shown,
        access: Access,
        is_ready: Callable[[], bool],
        functions_at: Callable[[], str],
        *,
        has_admin: bool,
    ) -> None:
        self._plane, self._access = plane, access
        self._is_ready, self._functions_at = is_ready, functions_at
        self._has_admin = has_admin
        self._targets = Targets()

    def __repr__(self) -> str:
        return f"<PlanePages {self._targets!r}, has_admin={self._has_admin}>"

    def handle(self, head: Head, ends: Ends) -> Action:
        target = self._targets.find(head.url)
        if target.kind is Kind.FUNCTION or target.path.startswith((ASYNC_FUNCTION, CALLS)):
            return self._elsewhere(head)
        if self._has_admin and (target.kind is Kind.API or is_registry(target.path)):
            return Admin(target.path, target.query)
        return page(self._plane, self._access, self._is_ready, head, target.path, ends.user)

    def _elsewhere(self, head: Head) -> Action:
        if head.refusal is not None:
            return Refuse(head.refusal)
        none = NotFound("gateways answer functions, and none has joined", "attacca gateway --control HOST:PORT")
        return elsewhere(self._functions_at(), head) or Refuse(none)


class ToControl:
    """A `Handler` before another: who asks a gateway apart for the admin API is sent to control."""

    def __init__(self, behind: Handler, admin_at: Callable[[], str]) -> None:
        self._behind, self._admin_at = behind, admin_at
        self._targets = Targets()

    def __repr__(self) -> str:
        return f"<ToControl {self._targets!r}>"

    def handle(self, head: Head, ends: Ends) -> Action:
        if head.url.startswith((b"/api", b"/ui")) and self._is_of_control(self._targets.find(head.url)):
            none = NotFound("control has the admin API, at an address of its own", "ask there: --url or ATTACCA_URL")
            return elsewhere(self._admin_at(), head) or Refuse(none)
        return self._behind.handle(head, ends)

    @staticmethod
    def _is_of_control(target: Target) -> bool:
        return target.kind is Kind.API or is_dashboard(target.path)


class ToLeader:
    """A `Handler` before another: of several controls, who asks one that does not lead is sent to the one that does.
    `refusal`: None while it leads itself."""

    def __init__(self, behind: Handler, refusal: Callable[[], NotLeading | None]) -> None:
        self._behind, self._refusal = behind, refusal
        self._targets = Targets()

    def __repr__(self) -> str:
        return f"<ToLeader {self._targets!r}>"

    def handle(self, head: Head, ends: Ends) -> Action:
        refusal = self._refusal()
        if refusal is not None:
            target = self._targets.find(head.url)
            if target.kind in (Kind.API, Kind.FUNCTION) or is_registry(target.path) or is_dashboard(target.path):
                return elsewhere(refusal.url, head) or Refuse(refusal)
        return self._behind.handle(head, ends)


def elsewhere(url: str, head: Head) -> Action | None:
    """Sent on to the same at another server; None: there is none."""
    if not url or not head.url.startswith(b"/"):
        return None
    return Serve(Whole(307, [(b"location", url.encode("latin-1", "replace") + head.url)], b""))
