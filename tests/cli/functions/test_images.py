import zlib
from pathlib import Path

import pytest

from attacca.cli.functions.images import as_labels, is_named
from attacca.cli.functions.registry import content, show
from attacca.cli.functions.sizes import size
from attacca.errors import BadConfig
from tests.cases import each


@each("text, runtime, wanted", [
    ("ghcr.io/team/fn:v1", None, True), ("localhost/fn", None, True), ("localhost:8080/fn", None, True),
    ("nginx", "container", True), ("nginx", None, False), ("fn@sha256:0", None, True),
    ("./shop.d/fn", None, False), ("/tmp/a.b/fn", None, False), ("../fn", None, False), ("shop/fn.py", None, False),
])  # fmt: skip
def test_what_is_the_name_of_an_image(text: str, runtime: str | None, wanted: bool) -> None:  # noqa: FBT001 - a column
    assert is_named(text, runtime) is wanted


def test_what_is_there_is_a_path(tmp_path: Path) -> None:
    assert not is_named(str(tmp_path), "container")


def test_options_are_labels() -> None:
    flags = {"name": "fn", "runtime": "container", "memory_mb": 64, "idempotent": True, "cpus": None}
    assert as_labels({"runtime": "process"}, {}, {}) == {"attacca.contract": "guest"}
    assert as_labels(flags, {"A": "1"}, {"KEY": "file"}) == {
        "attacca.memory_mb": "64", "attacca.idempotent": "true", "attacca.env.A": "1", "attacca.secrets.KEY": "file",
    }  # fmt: skip


def test_a_size_is_read() -> None:
    assert [size(text, "--pad") for text in ("0", "50MiB", "1 KB", "7B")] == [0, 50 << 20, 1000, 7]
    for text in ("", "much", "-1", "9 GiB", "1TB"):
        with pytest.raises(BadConfig, match="is no size"):
            size(text, "--pad")


def test_an_image_that_fills_a_registry_is_like_no_other_and_the_same_each_time() -> None:
    first = b"".join(content("a/b-1", 3000))
    assert len(first) == 3000
    assert first == b"".join(content("a/b-1", 3000))
    assert first != b"".join(content("a/b-2", 3000))
    assert len(zlib.compress(first)) > 2990


def test_repositories_are_shown_with_their_tags(capsys: pytest.CaptureFixture[str]) -> None:
    show([{"repository": "shop", "tags": ["latest", "v1"]}, {"repository": "team/kept", "tags": []}], width=40)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["repository", "tags"],
        ["shop", "latest,", "v1"],
        ["team/kept", "-"],
    ]
