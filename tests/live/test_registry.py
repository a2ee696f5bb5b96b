"""The registry of a whole server, over its own HTTP: bodies that come in pieces, answers without one, who may ask."""

import http.client
import json
from pathlib import Path

from attacca.images.core.manifests import OCI_MANIFEST
from tests.images.stage import entry, layer, parts, sha
from tests.live.whole import Whole, running

BLOBS, MANIFEST = parts(layer(entry("a", bytes(300_000))), layer(entry("b", b"1")))


def pushed(server: Whole, repository: str) -> None:
    for blob in BLOBS:
        place = server.ask("POST", f"/v2/{repository}/blobs/uploads/").headers["location"]
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("PATCH", place, iter((blob[:100], blob[100:])), encode_chunked=True)  # as docker does
        assert connection.getresponse().status == 202
        connection.close()
        assert server.ask("PUT", f"{place}?digest={sha(blob)}").status == 201
    put = server.ask("PUT", f"/v2/{repository}/manifests/v1", MANIFEST, {"content-type": OCI_MANIFEST})
    assert (put.status, put.headers["docker-content-digest"]) == (201, sha(MANIFEST))


def test_an_image_is_pushed_and_pulled_by_who_may(tmp_path: Path) -> None:
    with running(tmp_path / "state") as server:
        pushed(server, "team/fn")
        head = server.ask("HEAD", "/v2/team/fn/manifests/v1")
        assert (head.status, head.headers["content-length"], head.body) == (200, str(len(MANIFEST)), b"")
        for blob in BLOBS:
            assert server.ask("GET", f"/v2/team/fn/blobs/{sha(blob)}").body == blob
        part = server.ask("GET", f"/v2/team/fn/blobs/{sha(BLOBS[1])}", headers={"range": "bytes=5-"})
        assert (part.status, part.body) == (206, BLOBS[1][5:])
        assert json.loads(server.ask("GET", "/v2/team/fn/tags/list").body)["tags"] == ["v1"]
        refused = server.ask("GET", "/v2/", headers={"x-forwarded-for": "10.0.0.1"})
        assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="attacca"')
        assert server.ask("GET", "/v2/", headers={"origin": "http://evil.example"}).status == 403
        assert len(list((tmp_path / "state" / "images" / "blobs").iterdir())) == 4
        assert [path.name for path in (tmp_path / "state" / "tmp").iterdir() if path.name.startswith("blob-")] == []
