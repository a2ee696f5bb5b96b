import pytest

from attacca.images.core.asked import Refused
from attacca.images.core.uploads import Upload, UploadLimits, Uploads

SMALL = UploadLimits(most=2, idle_s=10, blob_bytes=8)


def status(of: pytest.ExceptionInfo[Refused]) -> int:
    return of.value.status


def test_one_after_the_other_writes_what_follows() -> None:
    uploads = Uploads(SMALL)
    upload = uploads.begin(0, "u", "fn")
    assert uploads.take(1, "fn", "u", 0) is upload
    with pytest.raises(Refused, match="another request") as refused:
        uploads.take(1, "fn", "u", None)
    assert status(refused) == 409
    uploads.grow(upload, 5)
    uploads.ended(2, upload)
    with pytest.raises(Refused, match="5 bytes are here, and this begins at 4") as refused:
        uploads.take(3, "fn", "u", 4)
    assert status(refused) == 416
    with pytest.raises(Refused, match="a blob may have 8 bytes"):
        uploads.grow(uploads.take(3, "fn", "u", 5), 4)
    assert repr(upload) == "<Upload 5 bytes, busy>"


def test_they_are_few_and_go_when_nobody_comes() -> None:
    uploads = Uploads(SMALL)
    for name in "ab":
        uploads.begin(0, name, "fn")
    with pytest.raises(Refused, match="2 blobs are on their way"):
        uploads.begin(0, "c", "fn")
    uploads.take(5, "fn", "b", None)
    assert uploads.expired(10) == []
    assert uploads.expired(20) == ["a"]
    assert repr(uploads) == "<Uploads 1 of 2>"
    with pytest.raises(Refused, match="no such upload"):
        uploads.find("other", "b")
    uploads.forget(uploads.find("fn", "b"))
    uploads.forget(Upload("gone", "fn", 0))
    assert uploads.by_id == {}
