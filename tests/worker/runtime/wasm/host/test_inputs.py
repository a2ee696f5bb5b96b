import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.runtime.wasm.host.inputs import Wrong, inputs
from tests.cases import each

NAMES = ["a", "b"]


def part(name: str, data: bytes, more: str = "") -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + data + b"\r\n"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_files_come_as_they_are(first: bytes, second: bytes) -> None:
    body = part("b", second, '; filename="b.bin"') + part("a", first) + b"--x--\r\n"
    if b"\r\n--x" not in b"\r\n" + first and b"\r\n--x" not in b"\r\n" + second:
        assert inputs(NAMES, 'multipart/form-data; boundary="x"', body) == [first, second]


@each(
    "kind, body, why",
    [
        ("text/plain", b"", "each by its name: send a form"),
        ("", b"", "each by its name: send a form"),
        ("multipart/form-data", b"", "has no boundary"),
        ("multipart/form-data; boundary=x", b"", "the form has no end"),
        ("multipart/form-data; boundary=x", part("a", b"1"), "the form has no end"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n1\r\n--x--", "has no name"),
        ("multipart/form-data; boundary=x", part("a", b"1") * 2 + b"--x--", "'a' was sent twice"),
        ("multipart/form-data; boundary=x", part("a", b"1") + b"--x--", "it takes a, b: 'b' is missing"),
        ("application/json", b"{", "the body is no JSON"),
        ("application/json", b"[" * 100_000, "the body is no JSON"),
        ("application/json; charset=utf-8", b"[]", "no object of JSON"),
        ("application/json", b'{"a": 1, "b": 2, "c": 3}', "'c' is none of them"),
        ("application/json", b'{"a": 1, "c": 3}', "'b' is missing, 'c' is none of them"),
    ],
)
def test_what_is_not_what_it_takes_is_told(kind: str, body: bytes, why: str) -> None:
    with pytest.raises(Wrong, match=why):
        inputs(NAMES, kind, body)
