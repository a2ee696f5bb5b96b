"""What the pages are made of: all of it our own, small, and without a script or style between the lines."""

import gzip
import re

from attacca.dashboard.files import HERE, Files
from attacca.gateway.http.request import head

FILES = Files()
NAMES = sorted(path.relative_to(HERE).as_posix() for path in HERE.rglob("*") if path.is_file())
KB_MOST = 120  # of everything, compressed


def ask(name: str, accepts: bytes = b"") -> dict[bytes, bytes]:
    made = head(b"GET", b"/", [], {b"accept-encoding": accepts}, "1.1", True)  # noqa: FBT003 - kept alive
    found = FILES.find(name, made)
    assert found is not None, name
    return {**dict(found.fields), b"": found.body}


def test_every_file_is_served_and_kept_for_good_by_a_name_of_its_contents() -> None:
    for name in NAMES:
        if name != "index.html":
            assert ask(name)[b""] == (HERE / name).read_bytes()
            assert b"immutable" in ask(name)[b"cache-control"]
    assert FILES.release.encode() in FILES.index
    assert re.fullmatch(r"<Files \d+ beside the first, \d+ KB, release [0-9a-f]{12}>", repr(FILES))


def test_what_can_be_compressed_is() -> None:
    sent = sum(len(ask(name, b"gzip, br")[b""]) for name in NAMES if name != "index.html")
    assert gzip.decompress(ask("app.js", b"gzip")[b""]) == (HERE / "app.js").read_bytes()
    assert b"content-encoding" not in ask("app.js")
    assert sent < KB_MOST << 10


def test_pages_have_no_markup_from_strings_and_nothing_of_other_hosts() -> None:
    for name in NAMES:
        text = (HERE / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        found = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {
            "http://www.w3.org/2000/svg",
            "http://127.0.0.1:8080/ui",
        }
        assert found == set(), name
    assert not re.search(rb"<script(?![^>]*src=)|<style|\son\w+=|style=", FILES.index)
