"""The registry, called as an ASGI application."""

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from attacca.errors import BadFunction, Forbidden, Unauthorized
from attacca.images.core.manifests import OCI_MANIFEST
from attacca.images.core.uploads import UploadLimits
from attacca.images.registry import Registry
from attacca.images.spoken import Body
from attacca.images.store import ImageLimits
from tests.images.stage import entry, layer, parts, sha, store

pytestmark = pytest.mark.long  # images are written and read

SMALL = UploadLimits(most=2, idle_s=10, blob_bytes=1 << 20)


class House:
    """An `images.registry.Surroundings`."""

    def __init__(self) -> None:
        self.refusal: Unauthorized | Forbidden | None = None
        self.shown: list[bytes] = []
        self.tagged: list[tuple[str, str]] = []
        self.wrong = ""
        self.time = 0.0
        self._names = itertools.count()

    def refuse(self, scope: Any) -> Unauthorized | Forbidden | None:
        self.shown = [value for name, value in scope["headers"] if name == b"authorization"]
        return self.refusal

    def held(self) -> set[str]:
        return set()

    def now(self) -> float:
        return self.time

    def wall(self) -> float:
        return self.time

    def new_name(self) -> str:
        return f"{next(self._names):032x}"

    async def pushed(self, repository: str, tag: str, digest: str) -> None:
        self.tagged.append((repository, tag))
        if self.wrong:
            raise BadFunction(self.wrong, "mend it")


class Client:
    def __init__(self, path: Path, limits: ImageLimits | None = None) -> None:
        self.house, self.images = House(), store(path, limits)
        self.registry = Registry(self.images, self.house, SMALL)

    async def ask(
        self, method: str, url: str, *body: bytes | None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """A piece of None: the client is gone."""
        path, _, query = url.partition("?")
        scope = {
            "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in (headers or {}).items()],
        }  # fmt: skip
        pieces = iter(body)
        said: list[Any] = []

        async def receive() -> Any:
            piece = next(pieces, b"")
            if piece is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": piece, "more_body": piece != b""}

        async def send(message: Any) -> None:
            said.append(message)

        await self.registry(scope, receive, send)
        fields = {name.decode(): value.decode() for name, value in said[0]["headers"]}
        return said[0]["status"], fields, b"".join(one["body"] for one in said[1:])

    async def push(self, repository: str, *layers: bytes, tag: str = "v1") -> tuple[int, bytes]:
        blobs, manifest = parts(*layers)
        for blob in blobs:
            answer = await self.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={sha(blob)}", blob)
            assert answer[0] == 201, answer
        kind = {"content-type": OCI_MANIFEST}
        status, _, content = await self.ask("PUT", f"/v2/{repository}/manifests/{tag}", manifest, headers=kind)
        return status, content


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_an_image_is_pushed_and_pulled(tmp_path: Path) -> None:
    client = Client(tmp_path)
    one = layer(entry("a", b"1"))
    blobs, manifest = parts(one)

    async def story() -> None:
        assert (await client.push("team/fn", one))[0] == 201
        assert client.house.tagged == [("team/fn", "v1")]
        status, fields, content = await client.ask("GET", "/v2/team/fn/manifests/v1")
        assert (status, content, fields["content-type"]) == (200, manifest, OCI_MANIFEST)
        assert fields["docker-content-digest"] == sha(manifest)
        place = f"/v2/team/fn/blobs/{sha(blobs[1])}"
        assert (await client.ask("GET", place))[2] == blobs[1]
        status, fields, content = await client.ask("GET", place, headers={"range": "bytes=2-4"})
        assert (status, content, fields["content-range"]) == (206, blobs[1][2:5], f"bytes 2-4/{len(blobs[1])}")
        status, fields, content = await client.ask("HEAD", place)
        assert (status, content, fields["content-length"]) == (200, b"", str(len(blobs[1])))
        assert (await client.ask("GET", place, headers={"range": "bytes=9999-"}))[0] == 416
        assert json.loads((await client.ask("GET", "/v2/_catalog"))[2]) == {"repositories": ["team/fn"]}
        digest = sha(manifest).removeprefix("sha256:")
        assert (await client.images.rootfs(digest)).digest == digest
        assert (await client.ask("DELETE", "/v2/team/fn/manifests/v1"))[0] == 202
        assert (await client.ask("GET", "/v2/team/fn/manifests/v1"))[0] == 404

    run(story)


def test_a_blob_comes_in_pieces_and_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    client = Client(tmp_path)

    async def story() -> None:
        place = (await client.ask("POST", "/v2/fn/blobs/uploads/"))[1]["location"]
        status, fields, _ = await client.ask("PATCH", place, b"one", b"two", None)
        assert (status, fields["range"]) == (202, "0-5")
        wrong = {"content-range": "2-7", "content-length": "6"}
        assert (await client.ask("PATCH", place, b"three", headers=wrong))[0] == 416
        status, _, told = await client.ask("PUT", f"{place}?digest={sha(b'x')}", b"three", None)
        assert (status, json.loads(told)["errors"][0]["message"]) == (400, "the body broke off")
        assert (await client.ask("GET", place))[1]["range"] == "0-10"
        assert (await client.ask("PUT", f"{place}?digest={sha(b'onetwothree')}"))[0] == 201
        assert (await client.ask("GET", place))[0] == 404
        mounted = await client.ask("POST", f"/v2/other/blobs/uploads/?mount={sha(b'onetwothree')}&from=fn")
        assert mounted[0] == 201
        begun = await client.ask("POST", f"/v2/other/blobs/uploads/?mount={sha(b'nothing')}&from=fn")
        assert begun[0] == 202
        assert (await client.ask("DELETE", begun[1]["location"]))[0] == 204

    run(story)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert repr(client.registry) == "<Registry <Uploads 0 of 2>>"


def test_what_is_too_much_or_not_what_it_says_is_refused(tmp_path: Path) -> None:
    client = Client(tmp_path, ImageLimits(bytes=1 << 20))

    async def refused(method: str, url: str, *body: bytes) -> tuple[int, str]:
        status, _, content = await client.ask(method, url, *body, headers={"content-type": OCI_MANIFEST})
        return status, json.loads(content)["errors"][0]["code"]

    async def story() -> None:
        start = "/v2/fn/blobs/uploads/"
        assert await refused("POST", f"{start}?digest={sha(b'x')}", b"y") == (400, "DIGEST_INVALID")
        big = bytes(1 << 19)
        assert await refused("POST", f"{start}?digest={sha(b'x')}", big, big, b"1") == (413, "SIZE_INVALID")
        assert (await client.ask("POST", start))[0] == 202  # that and the one that was too large
        assert await refused("POST", start) == (429, "TOOMANYREQUESTS")
        client.house.time = 100
        assert (await client.ask("POST", start))[0] == 202
        assert await refused("PUT", "/v2/fn/manifests/v1", b"{}") == (400, "MANIFEST_INVALID")
        assert await refused("PUT", "/v2/fn/manifests/v1", parts(b"")[1]) == (404, "MANIFEST_BLOB_UNKNOWN")
        assert await refused("PUT", f"/v2/fn/manifests/{sha(b'')}", b"{}") == (400, "DIGEST_INVALID")
        assert await refused("PUT", "/v2/fn/manifests/v1", *[bytes(1 << 20)] * 5) == (413, "SIZE_INVALID")
        for blob in (big, bytes(big[1:]) + b"1", b"more"):
            client.images.blobs.put(blob)
        assert await refused("POST", start) == (507, "DENIED")

    run(story)


def test_a_push_of_which_nothing_can_be_made_says_why_and_is_kept(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.house.wrong = "it names no program"

    async def story() -> None:
        status, content = await client.push("fn", layer(entry("a")))
        assert (status, json.loads(content)["errors"][0]["message"]) == (422, "it names no program; mend it")
        assert (await client.ask("GET", "/v2/fn/tags/list"))[2] == b'{"name":"fn","tags":["v1"]}'

    run(story)


def test_who_may_not_is_told_how(tmp_path: Path) -> None:
    client = Client(tmp_path)
    client.house.refusal = Unauthorized("who are you", "docker login")

    async def story() -> None:
        status, fields, _ = await client.ask("GET", "/v2/", headers={"authorization": "Basic dTpzZXNhbWU="})
        assert (status, fields["www-authenticate"]) == (401, 'Basic realm="attacca"')
        assert client.house.shown == [b"Bearer sesame"]
        client.house.refusal = Forbidden("a page may not", "")
        assert (await client.ask("POST", "/v2/fn/blobs/uploads/"))[0] == 403

    run(story)


def test_a_page_of_tags(tmp_path: Path) -> None:
    client = Client(tmp_path)

    async def story() -> None:
        for tag in ("a", "b", "c"):
            await client.push("fn", layer(), tag=tag)
        status, fields, content = await client.ask("GET", "/v2/fn/tags/list?n=2")
        assert (status, json.loads(content)["tags"]) == (200, ["a", "b"])
        assert fields["link"] == '</v2/fn/tags/list?n=2&last=b>; rel="next"'
        assert json.loads((await client.ask("GET", "/v2/fn/tags/list?n=2&last=b"))[2])["tags"] == ["c"]
        assert (await client.ask("GET", "/v2/none/tags/list"))[0] == 404

    run(story)


def test_a_body_says_how_it_is() -> None:
    async def story() -> None:
        async def receive() -> Any:
            return {"type": "http.request", "body": b"x", "more_body": False}

        body = Body(receive)
        assert repr(body) == "<Body on its way>"
        assert await body.whole(1) == b"x"
        assert repr(body) == "<Body whole>"

    run(story)
