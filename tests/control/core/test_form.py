"""However a form is cut into pieces, the same is understood of it, and little of it is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.form import BEFORE_BYTES, HEAD_BYTES, Began, Form, Over, Piece, boundary_of
from attacca.errors import BadRequest
from tests.cases import each

MARK = b"\r\n--edge"
CONTENT = st.lists(
    st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"-", b"--", b"\r\n--", b"\r\n--edg", b"--edge", b"\0", b"x" * 50])
).map(b"".join)
FIELDS = st.lists(st.tuples(st.sampled_from(["settings", "code", "x y"]), CONTENT), min_size=1, max_size=4)


BAD = ("", "\u00fc", "a" * 71, '"a "', "a{")  # boundaries


def body_of(fields: list[tuple[str, bytes]], before: bytes = b"") -> bytes:
    parts = [
        b'--edge\r\nContent-Type: a/b\r\ncontent-disposition: form-data; name="%s"; filename="f"\r\n\r\n%s\r\n'
        % (name.encode(), content)
        for name, content in fields
    ]
    return before + b"".join(parts) + b"--edge--\r\n"


def read(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    form, found = Form("edge"), list[tuple[str, bytes]]()
    is_open = False
    for piece in pieces:
        for event in form.feed(piece):
            match event:
                case Began(name):
                    assert not is_open
                    is_open = True
                    found.append((name, b""))
                case Piece(data):
                    assert is_open
                    assert data
                    found[-1] = (found[-1][0], found[-1][1] + data)
                case Over():
                    assert is_open
                    is_open = False
        assert len(form._held) <= HEAD_BYTES + len(piece) + 4
    form.end()
    return found


@given(FIELDS, st.data(), st.sampled_from([b"", b"\r\n", b"preamble\r\n"]))
def test_a_form_is_understood_however_it_is_cut(
    fields: list[tuple[str, bytes]], data: st.DataObject, before: bytes
) -> None:
    fields = [(name, content.replace(MARK, b"")) for name, content in fields]
    whole = body_of([(name, content) for name, content in fields if MARK not in content], before)
    wanted = [(name, content) for name, content in fields if MARK not in content]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    assert read(pieces) == wanted
    assert read([whole[at : at + 1] for at in range(len(whole))]) == wanted


@each(
    "body",
    [
        b"", b"--edge", b"--edge\r\n", b"--edge--"[:-1], body_of([("a", b"x")])[:-6], b"x" * (BEFORE_BYTES + 100),
        b"--edgeX", b"--edge\r\n\r\nx\r\n--edge--", b'--edge\r\ncontent-disposition: form-data\r\n\r\n\r\n--edge--',
        b"--edge\r\na: " + b"b" * (HEAD_BYTES + 10), b'--edge\r\nname="a"\r\n\r\nx\r\n--edge--',
    ],

)  # fmt: skip
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        read([body])


@given(st.lists(st.binary(max_size=40) | st.sampled_from([MARK, b"--edge\r\n", b"\r\n\r\n", b"--"]), max_size=12))
def test_any_bytes_are_a_form_or_refused(pieces: list[bytes]) -> None:
    try:
        read(pieces)
    except BadRequest as error:
        assert error.hint  # noqa: PT017 - either is fine


@each(
    "kind",
    ["", "text/plain; boundary=a", "multipart/form-data", *("multipart/form-data; boundary=" + one for one in BAD)],
)
def test_a_boundary_is_needed(kind: str) -> None:
    with pytest.raises(BadRequest):
        boundary_of(kind)
    assert boundary_of('multipart/form-data; boundary="a b"') == "a b"


SETTINGS = b'Content-Disposition: form-data; name="settings"'
AMBIGUOUS = (
    SETTINGS + b'; name="code"', SETTINGS + b"\r\n" + SETTINGS, b'Content-Disposition: attachment; name="settings"',
    b'Content-Disposition: name="settings"', b"Content-Disposition: form-data; name*=utf-8''settings",
    SETTINGS + b"\nX: y", SETTINGS + b"\0", SETTINGS + b"\r\nno colon", SETTINGS + b"\r\n--edge: y",
    SETTINGS.replace(b":", b" :"), SETTINGS + b"\r\n folded: y", b"",
)  # fmt: skip


@each("head", AMBIGUOUS)
def test_a_head_that_others_could_read_otherwise_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        read([b"--edge\r\n" + head + b"\r\n\r\n{}\r\n--edge--"])


@pytest.mark.long
@pytest.mark.parametrize("size", range(HEAD_BYTES - 2, HEAD_BYTES + 3))
def test_how_long_a_head_may_be_does_not_hang_on_the_cut(size: int) -> None:
    filled = SETTINGS + b"\r\nX: "
    body = b"--edge\r\n" + filled + b"y" * (size - len(filled) - 2) + b"\r\n\r\n{}\r\n--edge--"

    def is_taken(pieces: list[bytes]) -> bool:
        try:
            return read(pieces) == [("settings", b"{}")]
        except BadRequest:
            return False

    assert is_taken([body]) is is_taken([body[at : at + 1] for at in range(len(body))]) is (size <= HEAD_BYTES)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; x*%s=y; boundary=edge", 'multipart/form-data; x="\\"; boundary=no"; boundary=edge;']
)
def test_other_parameters_are_passed_over(kind: str) -> None:
    assert boundary_of(kind.replace("%s", "9" * 5000)) == "edge"


@each("rest", ["; boundary=a; boundary=b", '; boundary="a', "; boundary=a b", "; boundary*=utf-8''a", ";="])
def test_a_boundary_has_one_reading(rest: str) -> None:
    with pytest.raises(BadRequest):
        boundary_of("multipart/form-data" + rest)
