"""A registry that stalls, lies, breaks off and asks for tokens, and what comes of pulls from it."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.errors import AttaccaError, BadImage, NotFound, Overloaded, Unauthorized, Unreachable
from attacca.images.core.manifests import OCI_INDEX, OCI_MANIFEST
from attacca.images.core.mirrors import Mirror
from attacca.images.core.names import Reference
from attacca.images.pulling import pull, pull_from
from attacca.images.remote import Remote, login
from tests.images.stage import entry, layer, parts, sha, store

BLOBS, MANIFEST = parts(layer(entry("a", bytes(1000))), layer(entry("b", bytes(range(256)) * 999)))
LARGE = BLOBS[2]
ORDINARY = ("host", "accept", "accept-encoding", "range")


class Registry:
    """`moods` are taken one by one, for each blob that is asked for; then it is honest."""

    def __init__(self) -> None:
        self.moods: list[str] = []
        self.manifest, self.kind = MANIFEST, OCI_MANIFEST
        self.token = ""
        self.ranges: list[str] = []
        self.shown: set[str] = set()  # of who asks, in whatever field
        self.elsewhere = ""  # where blobs are, if not here
        self.always: tuple[int, dict[str, str]] | None = None  # what it answers to whatever is asked
        self._is_over = threading.Event()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.answer(self)

            def log_message(self, *_: object) -> None: ...

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def remote(self, tag: str = "v1", digest: str = "") -> Remote:
        return Remote(Reference(self.at, "fn", tag, digest), "me:sesame", pause=lambda _: None)

    def answer(self, to: http.server.BaseHTTPRequestHandler) -> None:
        self.shown.update(value for name, value in to.headers.items() if name.lower() not in ORDINARY)
        if self.always is not None:
            said(to, self.always[0], b"-5\r\n", self.always[1])
        elif to.path.startswith("/token"):
            said(to, 200, json.dumps({"token": self.token} if "scope=all" in to.path else {}).encode())
        elif self.token and to.headers["authorization"] != f"Bearer {self.token}":
            field = f'Bearer realm="http://{self.at}/token",service="r",scope="all"'
            said(to, 401, b"", {"www-authenticate": field})
        elif "/manifests/" in to.path:
            said(to, 200, self.manifest, {"content-type": self.kind})
        else:
            digest = to.path.rpartition("/")[2]
            self.blob(to, next(blob for blob in BLOBS if sha(blob) == digest))

    def blob(self, to: http.server.BaseHTTPRequestHandler, blob: bytes) -> None:
        mood = self.moods.pop(0) if self.moods else ""
        asked = to.headers["range"] or ""
        self.ranges.append(asked)
        match mood:
            case "429" | "500" | "404":
                said(to, int(mood), b"", {"retry-after": "1"})
            case "breaks off":
                said(to, 200, blob[: len(blob) // 2], size=len(blob))
            case "longer":
                said(to, 200, blob + b"more")
            case "other":
                said(to, 200, bytes(len(blob)))
            case "stalls":
                said(to, 200, blob[:10], size=len(blob))
                self._is_over.wait()
            case "shorter":
                said(to, 200, b"")
            case "redirects":
                said(to, 307, b"", {"location": to.path})
            case _ if self.elsewhere:
                said(to, 307, b"", {"location": f"http://{self.elsewhere}{to.path}"})
            case _ if asked and mood != "forgets":
                first = int(asked.removeprefix("bytes=").partition("-")[0])
                said(to, 206, blob[first:], {"content-range": f"bytes {first}-{len(blob) - 1}/{len(blob)}"})
            case _:
                said(to, 200, blob)


def said(
    to: http.server.BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    fields: dict[str, str] | None = None,
    size: int = -1,
) -> None:
    to.send_response(status)
    for name, value in {"content-length": str(len(body) if size < 0 else size), **(fields or {})}.items():
        to.send_header(name, value)
    to.end_headers()
    to.wfile.write(body)


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


def test_an_image_comes_whatever_happens_on_the_way(registry: Registry, tmp_path: Path) -> None:
    registry.token = "sesame"
    for number, moods in enumerate((
        [], ["500", "429"], ["", "", "breaks off"], ["", "", "breaks off", "forgets"], ["", "", "redirects"],
    )):  # fmt: skip
        registry.moods = moods
        images, ticks = store(tmp_path / str(number)), list[int]()
        remote = registry.remote()
        digest = pull(remote, images, tick=ticks.append)
        assert digest == sha(MANIFEST)
        assert sum(ticks) == sum(map(len, BLOBS))
        assert images.blobs.read(sha(LARGE), 1 << 20) == LARGE
        assert pull(remote, images) == digest
    assert f"bytes={len(LARGE) // 2}-{len(LARGE) - 1}" in registry.ranges
    assert repr(remote) == f"<Remote {registry.at}, asked 7 times>"


def test_what_is_not_what_it_says_is_refused(registry: Registry, tmp_path: Path) -> None:
    def refused(kind: type[AttaccaError], complaint: str, remote: Remote | None = None) -> None:
        images = store(tmp_path / complaint[:9])
        with pytest.raises(kind, match=complaint):
            pull(remote or registry.remote(), images)
        assert list(images.blobs.tmp.iterdir()) == []

    moods: list[tuple[str, type[AttaccaError], str]] = [
        ("404", NotFound, "answers 404"), ("longer", BadImage, "is longer than"),
        ("other", BadImage, "what was sent as"),
    ]  # fmt: skip
    for mood, kind, complaint in moods:
        registry.moods = [mood]
        refused(kind, complaint)
    registry.moods = ["429"] * 9
    refused(Overloaded, "answers 429")
    refused(BadImage, "the registry sends", registry.remote(digest=sha(b"another")))
    registry.manifest = b"{" + b" " * (5 << 20)
    refused(BadImage, "more than 4194304 bytes")
    loop = {"mediaType": OCI_INDEX, "digest": sha(b""), "size": 1}
    registry.manifest, registry.kind = json.dumps({"schemaVersion": 2, "manifests": [loop]}).encode(), OCI_INDEX
    refused(BadImage, "the registry sends")
    registry.moods, registry.token = [], "\n"
    refused(Unauthorized, "gives no token")


def test_who_asks_is_told_to_nobody_to_whom_it_leads(registry: Registry, tmp_path: Path) -> None:
    other = Registry()
    try:
        registry.token, registry.elsewhere = "sesame", other.at
        assert pull(registry.remote(), store(tmp_path)) == sha(MANIFEST)
        assert len(other.ranges) == len(BLOBS)
        assert (other.shown, {"Bearer sesame"} <= registry.shown) == (set(), True)
    finally:
        other.close()


def test_who_stalls_is_asked_again_and_who_sends_less_given_up(registry: Registry, tmp_path: Path) -> None:
    here, pauses = Reference(registry.at, "fn", "v1"), list[float]()
    registry.moods = ["", "", "stalls"]
    assert pull(Remote(here, pause=pauses.append, stall_s=0.2), store(tmp_path / "a")) == sha(MANIFEST)
    assert registry.ranges[-1] == f"bytes=10-{len(LARGE) - 1}"
    assert pauses == [0.5]
    registry.moods = ["shorter"] * 9
    with pytest.raises(Unreachable, match="it ends early"):
        pull(Remote(here, pause=pauses.append), store(tmp_path / "b"))
    assert pauses == [0.5, 0.5, 1, 2, 4, 8]


def test_an_answer_that_is_none_is_no_answer(registry: Registry, tmp_path: Path) -> None:
    answers = [
        (307, {"location": "http://127.0.0.1:99999/"}), (307, {"location": "http://[::1/"}),
        (307, {"location": "/v2/\xe9"}), (307, {"location": "file:///etc/passwd"}), (307, {"location": "/v2/"}),
        (401, {"www-authenticate": 'Bearer realm="http://["'}),
        (401, {"www-authenticate": 'Bearer realm="http://x:y/"'}),
        (200, {"transfer-encoding": "chunked"}),
    ]  # fmt: skip
    for registry.always in answers:
        with pytest.raises(Unreachable, match=f"{re.escape(registry.at)} does not answer: ."):
            pull(registry.remote(), store(tmp_path))


def test_a_login_is_as_docker_has_kept_it(tmp_path: Path) -> None:
    told = {"auths": {"ghcr.io": {"auth": "bWU6c2VzYW1l"}, "https://index.docker.io/v1/": {"auth": "bWU6aHVi"}}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    found = [login(host, {"DOCKER_CONFIG": str(tmp_path)}) for host in ("ghcr.io", "docker.io", "quay.io")]
    assert found == ["me:sesame", "me:hub", ""]
    assert login("ghcr.io", {"HOME": "/nowhere"}) == ""


def test_mirrors_are_asked_first_and_passed_over_where_they_fail(registry: Registry, tmp_path: Path) -> None:
    mirror, notes = Registry(), list[str]()
    try:
        wanted = Reference(registry.at, "fn", "v1")
        mirrors = [Mirror(registry.at, "127.0.0.1:1"), Mirror(registry.at, mirror.at, "cache")]
        assert pull_from(wanted, mirrors, store(tmp_path / "a"), notes.append) == sha(MANIFEST)
        assert (len(mirror.ranges), registry.ranges) == (len(BLOBS), [])
        assert [note.partition(":1 is passed over")[0] for note in notes] == ["the mirror 127.0.0.1"]
        mirror.moods = ["", "404"]  # it has the first, and no more
        assert pull_from(wanted, mirrors[1:], store(tmp_path / "b"), notes.append) == sha(MANIFEST)
        assert "answers 404" in notes[1]
        assert len(registry.ranges) == len(BLOBS) - 1
    finally:
        mirror.close()
