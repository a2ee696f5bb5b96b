"""The dashboard at /ui: its files, its sessions, and its own way to the admin API and to functions.

The rule of /api stands: no page may ask there, since functions have pages of the same origin. Below /ui/api and
/ui/function the dashboard's page may, which is known by its key; what it asks then goes on as a tool's request with
the token that its user has shown, or with none where the machine's own user needs none, and is judged as ever.
"""

from collections.abc import Callable

import msgspec

from attacca.dashboard.files import GUARDS, NOT_KEPT, Files
from attacca.dashboard.sessions import LASTS_S, LOCAL, Sessions
from attacca.errors import AttaccaError, Forbidden, MethodNotAllowed, NotFound, Unauthorized
from attacca.gateway.http import response
from attacca.gateway.http.access import Access
from attacca.gateway.http.handler import Action, Admin, Handler, Invoke, Refuse, Serve
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Fields, Head
from attacca.gateway.http.response import Whole
from attacca.kernel.clock import Clock

PLACE = b"/ui"
FILES = "/ui/-/"
COOKIE = b"attacca_ui"
KEY = b"x-attacca-page"
OWN = frozenset((b"cookie", b"origin", b"referer", KEY))  # of a page, which whom it asks need not see
TYPED = "type its address, or open it from a bookmark or a terminal: http://127.0.0.1:8080/ui"
SECURED = "ask for it by https or on this machine: ssh -L 8080:127.0.0.1:8080 HOST, then http://127.0.0.1:8080/ui"


def is_here(url: bytes) -> bool:
    return url.startswith(PLACE) and url[3:4] in (b"", b"/", b"?")


class Dashboard:
    """A `Handler` before another. `allow` judges the value of an Authorization header."""

    def __init__(
        self, behind: Handler, access: Access, allow: Callable[[bytes | None], bool], clock: Clock, files: Files
    ) -> None:
        self._behind, self._access, self._allow = behind, access, allow
        self._clock, self._files = clock, files
        self._sessions = Sessions()

    def __repr__(self) -> str:
        return f"<Dashboard {self._sessions!r}, {self._files!r}>"

    def handle(self, head: Head, ends: Ends) -> Action:
        if not is_here(head.url):
            if b"service-worker" in head.named and not head.url.startswith(b"/function/"):
                return Refuse(
                    Forbidden("a worker of a page would see the dashboard's, too", "serve it below /function")
                )
            return self._behind.handle(head, ends)
        path = head.url.partition(b"?")[0].decode("latin-1")
        if path.startswith(("/ui/api/", "/ui/function/")):
            return self._pass_on(head, ends)
        if path == "/ui/session":
            return self._session(head)
        if head.verb not in ("GET", "HEAD"):
            return Refuse(MethodNotAllowed(f"the dashboard cannot be asked for with {head.verb[:20]}", "use GET"))
        if path.startswith(FILES):
            name = path.removeprefix(FILES).partition("/")[2]
            found = self._files.find(name, head)
            return (
                Refuse(NotFound("the dashboard has no such file", "reload the page")) if found is None else Serve(found)
            )
        if path == "/ui":
            return Serve(Whole(307, [(b"location", b"/ui/"), NOT_KEPT, *GUARDS], b""))
        if path != "/ui/":
            return Refuse(NotFound("the dashboard has no such page", "it begins at /ui/"))
        return Serve(self._first(head, ends))

    def _first(self, head: Head, ends: Ends) -> Whole:
        """The page, which knows from its head what it may do."""
        name, fields = self._asks_as(head)
        state, key = "", ""
        if self._access.refuse_operator(fields, ends.user) is not None:
            state = "login"
        elif not _is_opened_by_a_person(head):
            state = "typed" if b"sec-fetch-mode" in head.named else "secured"
        else:
            key = self._sessions.key(name)
        page = self._files.index.replace(b"STATE", state.encode()).replace(b"KEY", key.encode())
        page = page.replace(b"SESSION", b"yes" if name else b"no")
        kind = (b"content-type", b"text/html; charset=utf-8")
        return Whole(200, [kind, NOT_KEPT, (b"vary", b"cookie, sec-fetch-site"), *GUARDS], page)

    def _session(self, head: Head) -> Action:
        """Begin one with POST and a token, or end it with DELETE; neither has a body."""
        refusal = _refuse_others(head)
        if refusal is not None:
            return Refuse(refusal)
        secure = "; Secure" if _is_secured(head) else ""
        if head.verb == "DELETE":
            self._sessions.end(_cookie(head))
            said = f"{COOKIE.decode()}=; Path=/ui; HttpOnly; SameSite=Strict; Max-Age=0{secure}"
            return Serve(Whole(204, [(b"set-cookie", said.encode()), NOT_KEPT, *GUARDS], b""))
        if head.verb != "POST":
            return Refuse(MethodNotAllowed("a session is begun with POST and ended with DELETE", "use one of these"))
        shown = head.named.get(b"authorization")
        if shown is None or not self._allow(shown):
            return Refuse(Unauthorized("this token is not known", "attacca token create, on the server, makes one"))
        name = self._sessions.begin(self._clock.now(), shown)
        said = f"{COOKIE.decode()}={name}; Path=/ui; HttpOnly; SameSite=Strict; Max-Age={LASTS_S:.0f}{secure}"
        answer = msgspec.json.encode({"key": self._sessions.key(name)})
        return Serve(
            Whole(200, [(b"content-type", response.JSON), (b"set-cookie", said.encode()), NOT_KEPT, *GUARDS], answer)
        )

    def _pass_on(self, head: Head, ends: Ends) -> Action:
        name, fields = self._asks_as(head)
        refusal: AttaccaError | None = _refuse_others(head)
        if refusal is None and not self._sessions.fits(name, head.named.get(KEY, b"").decode("latin-1")):
            refusal = Forbidden("this is for the dashboard's own pages, and this one has no key, or an old one", TYPED)
        if refusal is None:
            refusal = self._access.refuse_operator(fields, ends.user)
        if refusal is not None:
            return Refuse(refusal)
        url = head.url[len(PLACE) :]
        if url.startswith(b"/function/"):  # which is not to learn by what right it is called
            fields = [field for field in fields if field[0] != b"authorization"]
        asked = msgspec.structs.replace(head, url=url, fields=fields, named=dict(fields), refusal=None, plan=None)
        action = self._behind.handle(asked, ends)
        if isinstance(action, Admin):
            return msgspec.structs.replace(action, by=asked)
        if isinstance(action, Invoke):
            head.refusal = None
        return action

    def _asks_as(self, head: Head) -> tuple[str, Fields]:
        """The name of the session, and the head's fields as a tool in the hands of its owner would send them."""
        name = _cookie(head)
        shown = self._sessions.find(self._clock.now(), name)
        fields = [one for one in head.fields if not (one[0] in OWN or one[0].startswith(b"sec-fetch-"))]
        if shown is None:
            return LOCAL, [one for one in fields if one[0] != b"authorization"]
        return name, [*(one for one in fields if one[0] != b"authorization"), (b"authorization", shown)]


def _is_opened_by_a_person(head: Head) -> bool:
    """Not by a script, which could read what it has opened: of the same origin are the pages of functions."""
    named = head.named
    return (
        named.get(b"sec-fetch-mode") == b"navigate"
        and named.get(b"sec-fetch-dest") == b"document"
        and named.get(b"sec-fetch-site") == b"none"
    )


def _refuse_others(head: Head) -> AttaccaError | None:
    site = head.named.get(b"sec-fetch-site")
    if site is None:
        return Forbidden("the browser does not say whose page asks, as over http from another machine", SECURED)
    return None if site == b"same-origin" else Forbidden("a page of another site may not ask for this", TYPED)


def _is_secured(head: Head) -> bool:
    """Did it come by https, as far as it says? A lie costs only its teller the cookie."""
    return head.named.get(b"origin", b"").startswith(b"https://")


def _cookie(head: Head) -> str:
    for name, value in head.fields:
        if name == b"cookie":
            for part in value.split(b";"):
                key, _, given = part.strip().partition(b"=")
                if key == COOKIE:
                    return given.decode("latin-1")
    return LOCAL
