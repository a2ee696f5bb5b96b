import codecs

import pytest

from attacca.kernel.text import decoded, is_utf_8
from tests.cases import each


@each(
    "content",
    [
        "aé\n".encode(),
        codecs.BOM_UTF8 + "aé\n".encode(),
        codecs.BOM_UTF16_LE + "aé\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "aé\n".encode("utf-16-be"),
    ],
)
def test_text_is_read_as_editors_and_shells_save_it(content: bytes) -> None:
    assert decoded(content) == "aé\n"


@each(
    "content, said",
    [
        (b"a\n\nb\xff\n", r"is not UTF-8 \(line 3\)"),
        (codecs.BOM_UTF16_LE + b"a", "begins like UTF-16"),
        ("abc".encode("utf-16-be"), "UTF-16 without its mark"),
        ("a\xe9".encode("utf-16-le"), "UTF-16 without its mark"),
    ],
)
def test_what_is_no_text_is_said_with_its_place(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        decoded(content)


def test_nothing_is_an_empty_text() -> None:
    assert decoded(b"") == ""


def test_bytes_that_are_no_text_are_known_when_they_come_as_text() -> None:
    assert is_utf_8("aé🙂")
    assert not is_utf_8(b"a\xff".decode(errors="surrogateescape"))
