import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.stored import Function, decode
from attacca.errors import StateCorrupt
from attacca.model.function import (
    Artefact,
    EventShape,
    Executable,
    Image,
    PythonDirectory,
    Revision,
    Settings,
    Signature,
    WasmModule,
)
from tests.cases import each

REVISION = Revision(
    function="a",
    number=2,
    settings=Settings(name="a"),
    handler="m:f",
    signature=Signature.ARGS,
    artefact=PythonDirectory("0" * 40),
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


def as_before(function: Function) -> bytes:
    """What was written while all code was Python's."""
    tree = msgspec.to_builtins(function)
    for revision in tree["revisions"]:
        artefact = revision.pop("artefact")
        revision |= {"code": artefact["code"], "bundle": artefact["bundle"]}
    return msgspec.json.encode(tree)


@pytest.mark.parametrize("bundle", [None, "1" * 40])
def test_what_was_written_while_all_code_was_pythons_is_read(bundle: str | None) -> None:
    last = msgspec.structs.replace(REVISION, artefact=PythonDirectory("0" * 40, bundle), event=EventShape.HTTP)
    function = Function("a", 2, 3, (KEPT.revisions[0], last))
    assert b"artefact" not in as_before(function)
    assert decode("functions/a", as_before(function)) == function


OLD = (
    b'{"name":"a","current":1,"last":1,"revisions":[{"function":"a","number":1,"settings":{"name":"a","handler":null,'
    b'"event":null,"memory_mb":128,"timeout_s":30.0},"handler":"main:a","signature":"named","event":"plain","code":"'
    + b"0" * 40
    + b'","bundle":null,"created_at":1.5}]}'
)


def test_as_it_lies_in_the_state_of_a_server_before() -> None:
    revision = decode("functions/a", OLD).now
    assert (revision.artefact, revision.handler, revision.created_at) == (PythonDirectory("0" * 40), "main:a", 1.5)
    with pytest.raises(StateCorrupt, match="no digest"):
        decode("functions/a", OLD.replace(b"0" * 40, b"../../etc"))


@pytest.mark.parametrize("artefact", [Image("2" * 40), WasmModule("2" * 40), Executable("2" * 40)], ids=str)
def test_other_artefacts_are_read_as_they_were_written(artefact: Artefact) -> None:
    function = Function("a", 2, 3, (KEPT.revisions[0], msgspec.structs.replace(REVISION, artefact=artefact)))
    assert decode("functions/a", msgspec.json.encode(function)) == function
    with pytest.raises(StateCorrupt, match="no digest"):
        decode("functions/a", msgspec.json.encode(function).replace(b"2" * 40, b"latest"))


@each(
    "value",
    [
        changed("name", to="b"), changed("current", to=9), changed("last", to=1), changed("last", to=2**60),
        changed("revisions", to=[]), changed("revisions", 0, "number", to=-1), changed("revisions", 0, "number", to=2),
        changed("revisions", 0, "number", to=3), changed("revisions", 0, "artefact", "code", to="../../etc"),
        changed("revisions", 1, "artefact", "bundle", to="/"), changed("revisions", 1, "function", to="b"),
        changed("revisions", 1, "settings", "name", to="b"), changed("revisions", 1, "settings", "name", to="a\n"),
        changed("revisions", 0, "artefact", "type", to="floppy"), changed("revisions", 0, "artefact", to="0" * 40),
        changed("revisions", 0, "created_at", to=None), b"", b"[" * 100_000, b"{}", b"null", b"\xff",
        msgspec.json.encode(KEPT).replace(b'"last":3', b'"last":1e400'),
        msgspec.json.encode(KEPT).replace(b'"last":3', b'"last":' + b"9" * 5000),
        msgspec.json.encode(KEPT).replace(b'"created_at":0.0', b'"created_at":1e400'),
        msgspec.json.encode(KEPT)[:-1] + b',"more":' + b"[" * 100_000 + b"}",
    ],

)  # fmt: skip
def test_what_attacca_has_not_written_is_refused(value: bytes) -> None:
    with pytest.raises(StateCorrupt, match="functions/a"):
        decode("functions/a", value)


@given(st.binary(max_size=30))
def test_bytes_are_a_function_or_refused(value: bytes) -> None:
    with pytest.raises(StateCorrupt):
        decode("functions/a", value)
