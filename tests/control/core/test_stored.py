import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.catalogue import Function
from attacca.control.core.stored import decode
from attacca.errors import StateCorrupt
from attacca.model.function import Revision, Settings, Signature

REVISION = Revision(
    function="a", number=2, settings=Settings(name="a"), handler="m:f", signature=Signature.ARGS, code="0" * 40
)
KEPT = Function("a", 2, 3, (msgspec.structs.replace(REVISION, number=1), REVISION))
TREE = msgspec.to_builtins(KEPT)


def changed(*path: str | int, to: object) -> bytes:
    tree = msgspec.json.decode(msgspec.json.encode(TREE))
    at = tree
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = to
    return msgspec.json.encode(tree)


def test_what_was_written_is_read() -> None:
    assert decode("functions/a", msgspec.json.encode(KEPT)) == KEPT


@pytest.mark.parametrize(
    "value",
    [
        changed("name", to="b"), changed("current", to=9), changed("last", to=1), changed("last", to=2**60),
        changed("revisions", to=[]), changed("revisions", 0, "number", to=-1), changed("revisions", 0, "number", to=2),
        changed("revisions", 0, "number", to=3), changed("revisions", 0, "code", to="../../etc"),
        changed("revisions", 1, "bundle", to="/"), changed("revisions", 1, "function", to="b"),
        changed("revisions", 1, "settings", "name", to="b"), changed("revisions", 1, "settings", "name", to="a\n"),
        changed("revisions", 0, "created_at", to=None), b"", b"[" * 100_000, b"{}", b"null", b"\xff",
        msgspec.json.encode(KEPT).replace(b'"last":3', b'"last":1e400'),
        msgspec.json.encode(KEPT).replace(b'"last":3', b'"last":' + b"9" * 5000),
        msgspec.json.encode(KEPT).replace(b'"created_at":0.0', b'"created_at":1e400'),
        msgspec.json.encode(KEPT)[:-1] + b',"more":' + b"[" * 100_000 + b"}",
    ],
    ids=range(23),
)  # fmt: skip
def test_what_attacca_has_not_written_is_refused(value: bytes) -> None:
    with pytest.raises(StateCorrupt, match="functions/a"):
        decode("functions/a", value)


@given(st.binary(max_size=30))
def test_bytes_are_a_function_or_refused(value: bytes) -> None:
    with pytest.raises(StateCorrupt):
        decode("functions/a", value)
