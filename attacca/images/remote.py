"""Registries, as their client: images are pulled and pushed, piece by piece, and again if need be."""

import base64
import contextlib
import http.client
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec

from attacca.errors import AttaccaError, BadImage, Unauthorized
from attacca.images.blobs import Draft
from attacca.images.core.manifests import INDEXES, MANIFEST_BYTES, MANIFESTS
from attacca.images.core.names import DOCKER, Reference
from attacca.images.core.pulling import TRIES, Challenge, again, challenge, expect_part, failure, place, rest

STALL_S = 30.0  # without a byte
PIECE = 256 << 10
REDIRECTS_MOST = 5
TOLD_BYTES = 1 << 20  # of an answer that is no blob
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
HUB_LOGIN = "https://index.docker.io/v1/"
GONE = (OSError, http.client.HTTPException, ValueError)  # ValueError: it says what is no address, or no length

Body = bytes | Callable[[], IO[bytes]]


class Answer(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


class Remote:
    """One registry, as who has a login. Blocking. `pause` waits so many seconds."""

    def __init__(
        self,
        reference: Reference,
        login: str = "",
        pause: Callable[[float], object] | None = None,
        *,
        is_plain: bool = False,
        tries: int = TRIES,
        stall_s: float = STALL_S,
    ) -> None:
        """`login`: NAME:PASSWORD. `is_plain`: without TLS; on this machine it is by itself. `tries`: so often it is
        asked for each thing, and given up for the moment after `stall_s` without a byte."""
        self.reference = reference
        self._at, is_here = place(reference.host)
        self._is_plain = is_plain or is_here
        self._login, self._pause = login, pause or threading.Event().wait
        self._tries, self._stall_s = tries, stall_s
        self._shown = ""  # of the Authorization that was taken last
        self._asked = 0

    def __repr__(self) -> str:
        return f"<Remote {self._at}, asked {self._asked} times>"

    # What is there.

    def manifest(self, which: str) -> tuple[str, bytes]:
        """Its media type, and itself.

        Raises:
            AttaccaError: it is not to be had, and why.
        """
        what = f"{self.reference.repository}:{which}"
        answer = self._ask("GET", self._path("manifests", which), what, headers={"accept": ACCEPT}, most=MANIFEST_BYTES)
        return answer.fields.get("content-type", "").partition(";")[0].strip(), answer.body

    def has(self, digest: str) -> bool:
        answer = self._tried("HEAD", self._path("blobs", digest), digest)
        return answer.status == 200

    def blob(self, digest: str, size: int, draft: Draft, tick: Callable[[int], None]) -> None:
        """Its bytes go to the draft; after a failure from where it broke off.

        Raises:
            AttaccaError: it is not to be had; or it is longer than it is said to be.
        """
        tries = 0
        while draft.size < size:
            tries += 1
            before = draft.size
            status, fields, told = self._some(digest, size, draft, tick)
            if draft.size > before:
                tries = 1
            if draft.size >= size:
                break
            more = again(tries, status, fields, self._tries)
            if more is None:
                raise failure(self.reference, digest[:19], status, told)
            self._pause(more.after_s)

    def _some(
        self, digest: str, size: int, draft: Draft, tick: Callable[[int], None]
    ) -> tuple[int, Mapping[str, str], str]:
        """How it ended: 0 is broken off."""
        headers = {"range": rest(draft.size, size)} if draft.size else {}
        try:
            with self._opened("GET", self._path("blobs", digest), b"", headers) as response:
                fields = {name.lower(): value for name, value in response.getheaders()}
                if response.status not in (200, 206):
                    return response.status, fields, _said(response.read(TOLD_BYTES))
                told = fields.get("content-range", "")
                goes_on = draft.size > 0 and expect_part(response.status, told, draft.size, size)
                skip = 0 if goes_on else draft.size
                while piece := response.read1(PIECE):
                    piece, skip = piece[skip:], max(skip - len(piece), 0)
                    if draft.size + len(piece) > size:
                        raise BadImage(f"{digest[:19]} is longer than the {size} bytes it is said to have", "try again")
                    draft.write(piece)
                    tick(len(piece))
        except GONE as error:
            return 0, {}, str(error) or type(error).__name__
        return 0, {}, "it ends early"

    # What is brought there.

    def mount(self, digest: str) -> str:
        """Where it is to be sent."""
        answer = self._ask("POST", self._path("blobs", "uploads/"), "an upload")
        return answer.fields.get("location", "")

    def send(self, digest: str, size: int, opened: Callable[[], IO[bytes]]) -> None:
        """A blob, unless it is there.

        Raises:
            AttaccaError: it is not taken.
        """
        if self.has(digest):
            return
        where = self.mount(digest)
        joined = where + ("&" if "?" in where else "?") + urlencode({"digest": digest})
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        self._ask("PUT", joined, digest[:19], body=opened, headers=headers)

    def name(self, which: str, media_type: str, data: bytes) -> str:
        """A manifest has this name from now on; what is told of it."""
        answer = self._ask(
            "PUT", self._path("manifests", which), f"{self.reference.repository}:{which}", data,
            {"content-type": media_type},
        )  # fmt: skip
        return answer.fields.get("docker-content-digest", "")

    # How it is asked.

    def _path(self, kind: str, which: str) -> str:
        return f"/v2/{self.reference.repository}/{kind}/{which}"

    def _ask(
        self, method: str, path: str, what: str, body: Body = b"", headers: Mapping[str, str] | None = None,
        most: int = TOLD_BYTES,
    ) -> Answer:  # fmt: skip
        answer = self._tried(method, path, what, body, headers, most)
        if answer.status >= 300 or answer.status == 0:
            raise failure(self.reference, what, answer.status, _said(answer.body))
        return answer

    def _tried(
        self, method: str, path: str, what: str, body: Body = b"", headers: Mapping[str, str] | None = None,
        most: int = TOLD_BYTES,
    ) -> Answer:  # fmt: skip
        tries = 0
        while True:
            tries += 1
            answer = self._once(method, path, what, body, headers or {}, most)
            more = (
                again(tries, answer.status, answer.fields, self._tries)
                if answer.status in (0, 429) or answer.status >= 500
                else None
            )
            if more is None:
                return answer
            self._pause(more.after_s)

    def _once(self, method: str, path: str, what: str, body: Body, headers: Mapping[str, str], most: int) -> Answer:
        try:
            with self._opened(method, path, body, headers) as response:
                data = response.read(most + 1)
                if len(data) > most:
                    raise BadImage(f"{self._at} answers with more than {most} bytes for {what}", "try another registry")
                fields = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, fields, data)
        except GONE as error:
            return Answer(0, {}, str(error).encode() or type(error).__name__.encode())

    @contextlib.contextmanager
    def _opened(
        self, method: str, path: str, body: Body, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """After a 401, once more with what it asks for; redirected ones as far as they go."""
        scheme = "http" if self._is_plain else "https"
        url, has_shown = urljoin(f"{scheme}://{self._at}", path), False
        for _ in range(REDIRECTS_MOST + 2):
            self._asked += 1
            shown = {"authorization": self._shown} if self._shown and urlsplit(url).netloc == self._at else {}
            with self._response(method, url, body, {**headers, **shown}) as response:
                wanted = response.getheader("www-authenticate") or ""
                if response.status == 401 and not has_shown and urlsplit(url).netloc == self._at:
                    has_shown = self._show(wanted)
                    if has_shown:
                        continue
                location = response.getheader("location") or ""
                if response.status in (301, 302, 303, 307, 308) and location and method in ("GET", "HEAD"):
                    url = urljoin(url, location)
                    continue
                yield response
                return
        raise http.client.HTTPException("it redirects without end")

    def _show(self, field: str) -> bool:
        """Is there something else to be shown than before?"""
        before = self._shown
        wanted = challenge(field, is_plain=self._is_plain)
        if wanted is not None:
            self._shown = f"Bearer {self._token(wanted)}"
        elif field.lower().startswith("basic") and self._login:
            self._shown = _basic(self._login)
        return self._shown != before

    def _token(self, wanted: Challenge) -> str:
        """
        Raises:
            Unauthorized: there is none for us.
        """
        said = {"service": wanted.service, "scope": wanted.scope}
        url = f"{wanted.realm}?{urlencode({name: value for name, value in said.items() if value})}"
        shown = {"authorization": _basic(self._login)} if self._login else {}
        with self._response("GET", url, b"", shown) as response:
            data = response.read(TOLD_BYTES)
            try:
                told = json.loads(data) if response.status == 200 else {}
                token = told.get("token") or told.get("access_token") or ""
            except (ValueError, AttributeError, RecursionError):
                token = ""
        if not isinstance(token, str) or not token or not token.isprintable():
            what = f"{urlsplit(wanted.realm).hostname} gives no token for {self.reference.repository}"
            raise Unauthorized(f"{what} ({response.status})", "docker login")
        return token

    @contextlib.contextmanager
    def _response(
        self, method: str, url: str, body: Body, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        parts = urlsplit(url)
        if parts.scheme not in (("http", "https") if self._is_plain else ("https",)) or not parts.hostname:
            raise http.client.HTTPException(f"{url[:100]} is not asked")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname, parts.port, timeout=self._stall_s)
        content = body if isinstance(body, bytes) else body()
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(method, path, content or None, dict(headers))
            response = connection.getresponse()
            with response:
                yield response
        finally:
            connection.close()
            if not isinstance(content, bytes):
                content.close()


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


def _said(body: bytes) -> str:
    """Of a registry's errors the first."""
    try:
        error = json.loads(body)["errors"][0]
        return f"{error.get('code', '')} {error.get('message', '')}".strip()
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return body[:200].decode(errors="replace")


class _Docker(msgspec.Struct):
    auths: dict[str, dict[str, Any]] = {}


def login(host: str, environ: Mapping[str, str] = os.environ) -> str:
    """NAME:PASSWORD, as `docker login` has kept it; empty: it has not, or elsewhere."""
    directory = environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/"), ".docker")
    try:
        told = msgspec.json.decode(Path(directory, "config.json").read_bytes(), type=_Docker)
        kept = told.auths.get(HUB_LOGIN if host == DOCKER else host) or told.auths.get(f"https://{host}") or {}
        return base64.b64decode(str(kept.get("auth", ""))).decode()
    except (OSError, ValueError, AttaccaError):
        return ""
