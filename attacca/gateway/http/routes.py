"""attacca's own dialect: functions at /function/NAME, the admin API below /api, and the gateway's pages."""

from collections.abc import Callable

from attacca.errors import BadRequest, HeadersTooLarge
from attacca.gateway.core.inflight import Function
from attacca.gateway.driver import Gateway
from attacca.gateway.http import cors
from attacca.gateway.http.access import Access, Plan
from attacca.gateway.http.async_routes import CALLS, AsyncRoutes, function_of
from attacca.gateway.http.handler import Action, Admin, Invoke, Refuse, Serve
from attacca.gateway.http.pages import OWN, Shown, page
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.proxies import Proxies
from attacca.gateway.http.request import Fields, Head
from attacca.gateway.http.response import Whole
from attacca.gateway.http.target import KEPT, KEPT_LENGTH, Kind, Target, Targets, is_registry

FUNCTION, API = Kind.FUNCTION, Kind.API
KEYED = Plan.KEYED
HERE = b"localhost"


class Routes:
    def __init__(
        self,
        gateway: Gateway,
        access: Access,
        proxies: Proxies,
        is_ready: Callable[[], bool],
        has_admin: Callable[[], bool],
    ) -> None:
        self.shown: Shown = gateway  # on its pages
        self.later: AsyncRoutes | None = None  # for calls whose answers are fetched later
        self._gateway = gateway
        self._access = access
        self._proxies = proxies
        self._is_ready = is_ready
        self._has_admin = has_admin
        self._targets = Targets()
        self._plans: dict[
            tuple[bytes, bytes, bytes], Invoke
        ] = {}  # by address, method and content type: the usual ones

    def __repr__(self) -> str:
        return f"<Routes {len(self._plans)} plans, {self._targets!r}>"

    def handle(self, head: Head, ends: Ends) -> Action:
        plan = head.plan or self._plans.get((head.url, head.method, head.named.get(b"content-type", b"")))
        if type(plan) is Invoke:
            function = self._gateway.find(plan.function)
            if function is None or not (function.takes_requests or function.cors):
                head.plan = plan
                return plan
        return self._plan(head, ends)

    def _plan(self, head: Head, ends: Ends) -> Action:
        target = self._targets.find(head.url)
        if target.kind is not FUNCTION:
            return self._serve_others(head, target, ends)
        if head.plan is KEYED and self.later is not None:
            return self.later.keyed(head, self._invoke(head, target, ends), self._caller(head, ends))
        function = self._gateway.find(target.name)
        if head.method == b"OPTIONS":
            served = self._serve_options(head, function)
            if served is not None:
                return served
        if function is not None and (function.takes_requests or function.cors):
            return self._invoke(head, target, ends)
        plan = Invoke(target.name, head.verb, target.path, target.query, head.content_type)
        kind = head.named.get(b"content-type", b"")
        if head.method != b"OPTIONS" and len(head.url) + len(head.method) + len(kind) <= KEPT_LENGTH:
            if len(self._plans) >= KEPT:
                self._plans.clear()
            self._plans[head.url, head.method, kind] = head.plan = plan
        return plan

    def _invoke(self, head: Head, target: Target, ends: Ends) -> Invoke:
        name, path, query = target.name, target.path, target.query
        function = self._gateway.find(name)
        if function is None:
            return Invoke(name, head.verb, path, query, head.content_type)
        beside = tuple(cors.fields(function.cors, head.named.get(b"origin"))) if function.cors else ()
        if not function.takes_requests:
            return Invoke(name, head.verb, path, query, head.content_type, beside=beside)
        origin = self._proxies.origin(ends.theirs, head.fields)
        return Invoke(
            *(name, head.verb, path, query, head.content_type, at_host(head.fields, origin.host)),
            *(origin.client, origin.port, origin.scheme, function.takes_streams, beside),
        )

    def _serve_options(self, head: Head, function: Function | None) -> Serve | None:
        """Answer it, unless it is the function's own. What a page may ask says nothing that not everybody may know."""
        if function is None:
            return None
        is_asked_for = cors.is_preflight(head.named) and bool(function.cors)
        if function.takes_requests and not is_asked_for:
            return None
        if head.refusal is not None and not (is_asked_for and cors.allows(function.cors, head.named[b"origin"])):
            return None
        answer = cors.options(function.cors, head.named)
        beside = cors.fields(function.cors, head.named.get(b"origin"))
        return Serve(Whole(answer.status, cors.added(answer.fields, beside), answer.body))

    def _caller(self, head: Head, ends: Ends) -> str:
        """Whose keys are whose: the token that is shown, or else the address."""
        shown = head.named.get(b"authorization")
        return self._proxies.origin(ends.theirs, head.fields).client if shown is None else shown.decode("latin-1")

    def _serve_others(self, head: Head, target: Target, ends: Ends) -> Action:
        if target.kind is API and self._has_admin():
            return Admin(target.path, target.query)
        later = self.later
        if later is not None and later.is_here(target.path):
            if target.path.startswith(CALLS):
                return later.fetch(head, target.path, target.query)
            name, path = function_of(target.path)
            plan = self._invoke(head, Target(FUNCTION, name, path, target.query), ends)
            return later.call(head, plan, self._caller(head, ends))
        gateway, access = self._gateway, self._access
        if gateway.has_doors and target.kind is not API and target.path not in OWN:
            door = self._door(head, target, ends)
            if door is not None:
                return door
        if is_registry(target.path) and self._has_admin():
            return Admin(target.path, target.query)
        return page(self.shown, access, self._is_ready, head, target.path, ends.user)

    def _door(self, head: Head, target: Target, ends: Ends) -> Action | None:
        """That of a workflow, where it has this address. Whether its sender may ask is judged as if this server had
        been asked for by its own name: whoever started the workflow has given it that of the request."""
        host = head.named.get(b"host", b"").decode("latin-1").lower().rpartition(":")
        door = self._gateway.door(host[0] or host[2], target.path, head.verb)
        if door is None:
            return None
        if door.host:
            fields = [(field, HERE if field == b"host" else value) for field, value in head.fields]
            judged = self._access.examine(fields, is_old=head.is_old)
            if isinstance(judged, BadRequest | HeadersTooLarge):
                return Refuse(judged)
            head.refusal = judged
        return self._invoke(head, Target(FUNCTION, door.revision.function, target.path, target.query), ends)


def at_host(fields: Fields, host: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The headers, with the host that the outermost proxy was asked for."""
    if not host:
        return tuple(fields)
    return tuple((name, host if name == b"host" else value) for name, value in fields)
