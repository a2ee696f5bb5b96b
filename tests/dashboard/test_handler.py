"""Who may look at the dashboard, and that no page of a function can ask in its name."""

from typing import Any

from attacca.dashboard.files import Files
from attacca.dashboard.handler import Dashboard
from attacca.errors import Forbidden, MethodNotAllowed, NotFound, Unauthorized
from attacca.gateway.http.access import Access
from attacca.gateway.http.handler import Action, Admin, Invoke, Refuse, Serve
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Fields, Head, head
from attacca.gateway.http.response import Whole
from attacca.kernel.clock import ManualClock
from tests.cases import each

TOKEN = b"Bearer s3cret"
TYPED = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none"}
OWN = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}
FILES = Files()


class Behind:
    """What is asked of those behind it."""

    def __init__(self) -> None:
        self.asked: list[Head] = []

    def handle(self, head: Head, ends: Ends) -> Action:
        self.asked.append(head)
        return Invoke("f") if head.url.startswith(b"/function/") else Admin(head.url.decode(), "")


class Owner:
    def __init__(self, uid: int | None) -> None:
        self._uid = uid

    def user(self) -> int | None:
        return self._uid


class Scene:
    """A listener at `host`, and who owns the connection that asks."""

    def __init__(self, host: str = "127.0.0.1", uid: int | None = 0) -> None:
        self.behind, self.clock = Behind(), ManualClock()
        tokens = [TOKEN]
        self.tokens = tokens

        def allow(shown: bytes | None) -> bool:
            return shown in tokens

        access = Access(host, is_public=False, allow=allow, is_uid_shared=lambda: False)
        self.dashboard = Dashboard(self.behind, access, allow, self.clock, FILES)
        self._ends: Any = Owner(uid)

    def ask(self, url: str, method: str = "GET", **fields: str) -> Action:
        named = {"host": "127.0.0.1:8080", **{name.replace("_", "-"): value for name, value in fields.items()}}
        listed: Fields = [(name.encode(), value.encode()) for name, value in named.items()]
        made = head(method.encode(), url.encode(), listed, dict(listed), "1.1", True)  # noqa: FBT003 - kept alive
        return self.dashboard.handle(made, self._ends)

    def page(self, **fields: str) -> str:
        return served(self.ask("/ui/", **{**TYPED, **fields})).body.decode()

    def key(self, **fields: str) -> str:
        return self.page(**fields).split('attacca-key" content="')[1].split('"')[0]

    def login(self) -> tuple[str, str]:
        """The cookie and the key."""
        answer = served(self.ask("/ui/session", "POST", authorization=TOKEN.decode(), **OWN))
        return dict(answer.fields)[b"set-cookie"].decode().partition(";")[0], answer.body.decode().split('"')[3]


def served(action: Action) -> Whole:
    assert isinstance(action, Serve), action
    return action.answer


def refused(action: Action) -> Exception:
    assert isinstance(action, Refuse), action
    return action.error


def state(page: str) -> str:
    return page.split('attacca-state" content="')[1].split('"')[0]


def test_on_loopback_the_owner_needs_no_token_and_what_the_page_asks_goes_on_as_a_tools_request() -> None:
    scene = Scene()
    key = scene.key()
    assert len(key) == 40
    action = scene.ask("/ui/api/functions?x=1", x_attacca_page=key, cookie="a=b", referer="http://x/", **OWN)
    assert isinstance(action, Admin)
    assert action.by is scene.behind.asked[0]
    assert action.by.url == b"/api/functions?x=1"
    assert [name for name, _ in action.by.fields] == [b"host"]
    assert isinstance(scene.ask("/ui/function/f/x", "POST", x_attacca_page=key, **OWN), Invoke)
    assert scene.behind.asked[1].url == b"/function/f/x"


def test_a_page_of_a_function_has_no_key_and_gets_none() -> None:
    """It has the same origin, and may send whatever a script can: no field whose name begins with Sec-."""
    scene = Scene()
    right = scene.key()
    for fields in (
        OWN,
        {**OWN, "x-attacca-page": ""},
        {**OWN, "x-attacca-page": right[:-1] + "x"},
        {**OWN, "x-attacca-page": "é"},
    ):
        assert isinstance(refused(scene.ask("/ui/api/tokens", "POST", **fields)), Forbidden)
        assert isinstance(refused(scene.ask("/ui/function/f", **fields)), Forbidden)
    assert scene.key(**OWN) == ""  # fetched
    assert scene.key(**{**TYPED, "sec-fetch-site": "same-origin"}) == ""  # opened, or followed
    assert scene.key(**{**TYPED, "sec-fetch-site": "cross-site"}) == ""  # by way of another site
    assert scene.key(**{**TYPED, "sec-fetch-dest": "iframe"}) == ""
    assert state(scene.page(**{**TYPED, "sec-fetch-site": "same-origin"})) == "typed"
    assert scene.behind.asked == []


def test_other_sites_and_browsers_that_do_not_say_whose_page_asks_are_refused() -> None:
    scene = Scene()
    key = scene.key()
    for site in ("cross-site", "same-site", "none"):
        error = refused(scene.ask("/ui/api/info", x_attacca_page=key, **{**OWN, "sec-fetch-site": site}))
        assert isinstance(error, Forbidden)
        assert isinstance(
            refused(scene.ask("/ui/session", "POST", authorization="Bearer s3cret", sec_fetch_site=site)), Forbidden
        )
    assert isinstance(refused(scene.ask("/ui/api/info", x_attacca_page=key)), Forbidden)
    silent = served(scene.ask("/ui/")).body.decode()
    assert (state(silent), 'key" content=""' in silent) == ("secured", True)
    assert scene.behind.asked == []


@each(
    "fields, uid",
    [
        ({"host": "evil.example"}, 0),
        ({"x_forwarded_for": "10.0.0.9"}, 0),
        ({}, 4_000_000),  # another user of this machine
        ({}, None),
    ],
)
def test_who_would_need_a_token_for_the_api_needs_one_here(fields: dict[str, str], uid: int | None) -> None:
    scene = Scene(uid=uid)
    assert state(scene.page(**fields)) == "login"
    local = scene.dashboard._sessions.key("")
    asked = scene.ask("/ui/api/info", x_attacca_page=local, **{**OWN, **fields})
    assert isinstance(refused(asked), Forbidden | Unauthorized)


def test_a_token_begins_a_session_that_ends_with_it() -> None:
    scene = Scene(host="0.0.0.0", uid=None)
    assert state(scene.page()) == "login"
    wrong = scene.ask("/ui/session", "POST", authorization="Bearer guess", **OWN)
    assert isinstance(refused(wrong), Unauthorized)
    assert isinstance(refused(scene.ask("/ui/session", "POST", **OWN)), Unauthorized)
    cookie, key = scene.login()
    assert scene.key(cookie=cookie) == key
    asked = scene.ask("/ui/api/functions", cookie=cookie, x_attacca_page=key, **OWN)
    assert isinstance(asked, Admin)
    assert asked.by is not None
    assert dict(asked.by.fields)[b"authorization"] == TOKEN
    scene.ask("/ui/function/f", "POST", cookie=cookie, x_attacca_page=key, **OWN)
    assert [name for name, _ in scene.behind.asked[1].fields] == [b"host"]  # the function learns nothing of it
    for stale in ("", "attacca_ui=other"):
        assert isinstance(refused(scene.ask("/ui/api/info", cookie=stale, x_attacca_page=key, **OWN)), Forbidden)
    scene.tokens.clear()
    assert isinstance(refused(scene.ask("/ui/api/info", cookie=cookie, x_attacca_page=key, **OWN)), Unauthorized)


def test_a_session_is_over_after_a_while_or_when_its_owner_leaves() -> None:
    scene = Scene(host="0.0.0.0", uid=None)
    cookie, key = scene.login()
    left = served(scene.ask("/ui/session", "DELETE", cookie=cookie, **OWN))
    assert (left.status, b"Max-Age=0" in dict(left.fields)[b"set-cookie"]) == (204, True)
    assert isinstance(refused(scene.ask("/ui/api/info", cookie=cookie, x_attacca_page=key, **OWN)), Forbidden)
    cookie, key = scene.login()
    scene.clock.time += 12 * 3600.0 + 1
    assert isinstance(refused(scene.ask("/ui/api/info", cookie=cookie, x_attacca_page=key, **OWN)), Forbidden)


def test_the_cookie_is_for_the_dashboard_alone_and_out_of_reach_of_scripts() -> None:
    scene = Scene()
    for origin, is_secure in (("http://127.0.0.1:8080", False), ("https://attacca.example", True)):
        answer = served(scene.ask("/ui/session", "POST", authorization=TOKEN.decode(), origin=origin, **OWN))
        said = dict(answer.fields)[b"set-cookie"].decode()
        assert {"Path=/ui", "HttpOnly", "SameSite=Strict"} <= set(said.split("; "))
        assert ("Secure" in said.split("; ")) is is_secure


def test_every_page_says_what_may_run_in_it() -> None:
    scene = Scene()
    release = FILES.release
    for url in ("/ui/", f"/ui/-/{release}/app.js", f"/ui/-/{release}/style.css", "/ui"):
        fields = dict(served(scene.ask(url, **TYPED)).fields)
        policy = fields[b"content-security-policy"]
        assert b"default-src 'none'" in policy
        assert b"frame-ancestors 'none'" in policy
        assert b"unsafe" not in policy
        assert fields[b"x-content-type-options"] == b"nosniff"
        assert fields[b"cross-origin-opener-policy"] == b"same-origin"


def test_what_is_not_there_is_not_found_and_the_rest_is_none_of_its_business() -> None:
    scene = Scene()
    for url in ("/ui/x", f"/ui/-/{FILES.release}/../handler.py", "/ui/-/x/index.html", "/ui/-/", "/ui/-/x"):
        assert isinstance(refused(scene.ask(url, **TYPED)), NotFound), url
    assert isinstance(refused(scene.ask("/ui/", "POST")), MethodNotAllowed)
    assert isinstance(refused(scene.ask("/ui/session", **OWN)), MethodNotAllowed)
    assert isinstance(scene.ask("/uix"), Admin)
    assert isinstance(scene.ask("/api/info"), Admin)
    assert isinstance(refused(scene.ask("/door.js", service_worker="script")), Forbidden)
    assert isinstance(scene.ask("/function/f/worker.js", service_worker="script"), Invoke)
    assert repr(scene.dashboard).startswith("<Dashboard <Sessions 0>, <Files ")
