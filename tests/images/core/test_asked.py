import base64

import pytest

from attacca.images.core.asked import (
    Append,
    Asked,
    Begin,
    Cancel,
    Catalogue,
    DeleteBlob,
    DeleteManifest,
    Finish,
    GetBlob,
    GetManifest,
    Part,
    Ping,
    Progress,
    PutManifest,
    Referrers,
    Refused,
    Request,
    Tags,
    credentials,
    read,
)
from tests.cases import each

SHA = "sha256:" + "0a" * 32
FIVE = {"content-range": "5-9", "content-length": "5"}
ID = "0123456789abcdef" * 2


@each(
    "method, path, query, fields, wanted",
    [
        ("GET", "/v2/", "", {}, Ping()),
        ("GET", "/v2", "", {}, Ping()),
        ("GET", "/v2/_catalog", "n=5&last=a", {}, Catalogue(5, "a")),
        ("GET", "/v2/a/b/tags/list", "n=0", {}, Tags("a/b", 0, "")),
        ("GET", f"/v2/fn/referrers/{SHA}", "artifactType=x/y", {}, Referrers("fn", SHA, "x/y")),
        ("HEAD", "/v2/fn/manifests/v1", "", {}, GetManifest("fn", "v1")),
        ("PUT", "/v2/fn/manifests/v1", "", {"content-type": "x"}, PutManifest("fn", "v1", "x")),
        ("PUT", f"/v2/fn/manifests/{SHA}", "tag=a&tag=b", {}, PutManifest("fn", SHA, "", ("a", "b"))),
        ("DELETE", "/v2/fn/manifests/v1", "", {}, DeleteManifest("fn", "v1")),
        ("GET", f"/v2/a/blobs/b/blobs/{SHA}", "", {"range": "bytes=1-2"}, GetBlob("a/blobs/b", SHA, Part(1, 2))),
        ("GET", f"/v2/fn/blobs/{SHA}", "", {"range": "bytes=-2"}, GetBlob("fn", SHA, Part(None, 2))),
        ("GET", f"/v2/fn/blobs/{SHA}", "", {"range": "bytes=1-2,4-5"}, GetBlob("fn", SHA)),
        ("DELETE", f"/v2/fn/blobs/{SHA}", "", {}, DeleteBlob("fn", SHA)),
        ("POST", "/v2/fn/blobs/uploads/", "", {}, Begin("fn")),
        ("POST", "/v2/fn/blobs/uploads", f"mount={SHA}&from=other", {}, Begin("fn", SHA, "other")),
        ("POST", "/v2/fn/blobs/uploads/", f"digest={SHA}", {}, Begin("fn", digest=SHA)),
        ("PATCH", f"/v2/fn/blobs/uploads/{ID}", "", {}, Append("fn", ID, None)),
        (
            "PATCH",
            f"/v2/fn/blobs/uploads/{ID}",
            "",
            FIVE,
            Append("fn", ID, 5),
        ),
        ("PUT", f"/v2/fn/blobs/uploads/{ID}", f"digest={SHA}", {}, Finish("fn", ID, SHA, None)),
        ("GET", f"/v2/fn/blobs/uploads/{ID}", "", {}, Progress("fn", ID)),
        ("DELETE", f"/v2/fn/blobs/uploads/{ID}", "", {}, Cancel("fn", ID)),
    ],
)
def test_what_is_asked(method: str, path: str, query: str, fields: dict[str, str], wanted: Asked) -> None:
    assert read(Request(method, path, query, fields)) == wanted


@each(
    "method, path, query, fields, status, code",
    [
        ("POST", "/v2/", "", {}, 405, "UNSUPPORTED"),
        ("GET", "/v2/fn", "", {}, 404, "UNSUPPORTED"),
        ("GET", "/v2/manifests/v1", "", {}, 404, "UNSUPPORTED"),
        ("GET", "/v2/Fn/tags/list", "", {}, 400, "NAME_INVALID"),
        ("GET", "/v2/../../etc/tags/list", "", {}, 400, "NAME_INVALID"),
        ("GET", "/v2/" + "a" * 2000, "", {}, 404, "NAME_INVALID"),
        ("GET", "/v2/fn/tags/list", "n=x", {}, 400, "PAGINATION_NUMBER_INVALID"),
        ("POST", "/v2/fn/tags/list", "", {}, 405, "UNSUPPORTED"),
        ("POST", f"/v2/fn/referrers/{SHA}", "", {}, 405, "UNSUPPORTED"),
        ("GET", "/v2/fn/manifests/sha256:0", "", {}, 400, "DIGEST_INVALID"),
        ("GET", "/v2/fn/blobs/md5:0", "", {}, 400, "DIGEST_INVALID"),
        ("PATCH", f"/v2/fn/blobs/{SHA}", "", {}, 405, "UNSUPPORTED"),
        ("POST", "/v2/fn/manifests/v1", "", {}, 405, "UNSUPPORTED"),
        ("PUT", f"/v2/fn/manifests/{SHA}", "tag=-", {}, 400, "TAG_INVALID"),
        ("GET", "/v2/fn/blobs/uploads/", "", {}, 405, "UNSUPPORTED"),
        ("GET", "/v2/fn/blobs/uploads/x", "", {}, 404, "BLOB_UPLOAD_UNKNOWN"),
        ("POST", f"/v2/fn/blobs/uploads/{ID}", "", {}, 405, "UNSUPPORTED"),
        ("PUT", f"/v2/fn/blobs/uploads/{ID}", "", {}, 400, "DIGEST_INVALID"),
        ("PATCH", f"/v2/fn/blobs/uploads/{ID}", "", {"content-range": "x"}, 416, "BLOB_UPLOAD_INVALID"),
        ("PATCH", f"/v2/fn/blobs/uploads/{ID}", "", {**FIVE, "content-range": "0-9"}, 416, "BLOB_UPLOAD_INVALID"),
    ],
)  # fmt: skip
def test_what_is_refused(method: str, path: str, query: str, fields: dict[str, str], status: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        read(Request(method, path, query, fields))
    assert (refused.value.status, refused.value.code) == (status, code)


def test_a_password_is_a_token() -> None:
    basic = base64.b64encode(b"anybody:sesame:x").decode()
    assert credentials(f"Basic {basic}") == "Bearer sesame:x"
    for other in ("Bearer x", "Basic !", "Basic /w==", ""):
        assert credentials(other) == other
