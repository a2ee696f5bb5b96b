"""What the gateway remembers of heads: never more than that it does not matter what else they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadRequest
from attacca.gateway.http import request
from attacca.gateway.http.access import KEPT, Access
from attacca.gateway.http.request import Fields

PAIRS = [
    (b"host", b"localhost"), (b"host", b"localhost:80"), (b"host", b"evil.example"), (b"host", b"a b"),
    (b"origin", b"http://localhost"), (b"origin", b"null"), (b"sec-fetch-site", b"none"),
    (b"sec-fetch-site", b"cross-site"), (b"authorization", b"Bearer right"), (b"authorization", b"Bearer wrong"),
    (b"via", b"1.1 x"), (b"content-type", b"a"), (b"content-type", b"b"), (b"x-one", b"1"),
]  # fmt: skip
HEADS = st.lists(st.lists(st.sampled_from(PAIRS), max_size=4), max_size=8)


def access(*, host: str = "127.0.0.1", is_public: bool = False) -> Access:
    return Access(host, is_public=is_public, allow=lambda value: value == b"Bearer right", is_uid_shared=lambda: False)


def is_passed_over(one: Access, fields: Fields) -> bool:
    """Is it beyond doubt?"""
    head = dict(fields)
    return len(head) == len(fields) and head.get(b"host") in one.hosts and one.names.issuperset(head)


def judge(one: Access, fields: Fields) -> object:
    head = request.head(b"GET", b"/", fields, dict(fields), "1.1", True)  # noqa: FBT003 - kept alive
    return one.judge(head) or head.refusal


@given(HEADS, st.booleans(), st.sampled_from(["127.0.0.1", "0.0.0.0"]))
def test_what_was_seen_before_changes_nothing(heads: list[Fields], is_public: bool, host: str) -> None:  # noqa: FBT001
    door = access(host=host, is_public=is_public)
    for fields in heads:
        said = judge(access(host=host, is_public=is_public), fields)
        assert type(judge(door, fields)) is type(said)


VALUES = st.sampled_from([b"", b"Bearer right", b"Bearer wrong", b"none", b"cross-site", b"http://localhost", b"null"])


DOORS = st.sampled_from([("127.0.0.1", False), ("127.0.0.1", True), ("0.0.0.0", False), ("0.0.0.0", True)])


@given(st.lists(st.sampled_from(PAIRS), max_size=4), st.lists(VALUES, min_size=4, max_size=4), DOORS)
def test_what_the_other_fields_of_such_a_head_say_does_not_matter(
    fields: Fields, values: list[bytes], where: tuple[str, bool]
) -> None:
    host, is_public = where
    door = access(host=host, is_public=is_public)
    door.examine(fields, is_old=False)
    others = [(name, value if name == b"host" else values[at]) for at, (name, value) in enumerate(fields)]
    said = access(host=host, is_public=is_public).examine(others, is_old=False)
    assert type(judge(door, others)) is type(said)


def test_the_usual_head_is_passed_over_the_second_time() -> None:
    for door in (access(), access(host="0.0.0.0", is_public=True)):
        fields = [(b"host", b"localhost:80"), (b"content-length", b"5")]
        assert not is_passed_over(door, fields)
        assert door.examine(fields, is_old=False) is None
        assert is_passed_over(door, [(b"host", b"localhost:80"), (b"content-length", b"6")])
        assert not is_passed_over(door, [(b"host", b"localhost:81"), (b"content-length", b"6")])
        assert not is_passed_over(door, [*fields, (b"via", b"x")])
        assert not is_passed_over(door, [*fields, (b"host", b"localhost:80")])


def test_a_token_lets_in_only_who_shows_it() -> None:
    for extra in ([], [(b"origin", b"null")], [(b"via", b"x")]):
        door = access()
        fields = [(b"host", b"evil.example"), *extra]
        assert door.examine([*fields, (b"authorization", b"Bearer right")], is_old=False) is None
        assert not is_passed_over(door, [*fields, (b"authorization", b"Bearer wrong")])


def test_where_a_token_is_needed_it_is_asked_for_every_time() -> None:
    door = access(host="0.0.0.0")
    for token in (b"Bearer right", b"Bearer wrong", b"Basic x", b"", b"Bearer right"):
        fields = [(b"host", b"x"), (b"authorization", token), (b"origin", b"null")]
        assert (judge(door, fields) is None) is (token == b"Bearer right")
        assert is_passed_over(door, fields)
    assert judge(door, [(b"host", b"x")]) is not None


@pytest.mark.long
def test_what_is_remembered_is_bounded() -> None:
    door = access()
    for number in range(KEPT * 3):
        door.examine([(b"host", b"127.0.%d.%d" % divmod(number, 250)), (b"x-%d" % number, b"")], is_old=False)
        assert len(door.hosts) <= KEPT
        assert len(door.names) <= KEPT
    door.examine([(b"host", b"localhost"), (b"x" * 5000, b"")], is_old=False)
    assert max(map(len, door.names)) < 100


def test_a_malformed_host_is_told_before_who_may_not() -> None:
    assert isinstance(access().examine([(b"host", b"localhost:abc")], is_old=False), BadRequest)
    assert isinstance(access().examine([], is_old=False), BadRequest)
    assert access().examine([], is_old=True) is None
