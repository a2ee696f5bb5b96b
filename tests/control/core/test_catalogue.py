import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attacca.control.core.catalogue import EPOCH_BITS, KEPT_REVISIONS, CatalogueState, changes, deployed, rolled_back
from attacca.control.core.stored import Function
from attacca.errors import BadRequest, NotFound
from attacca.model.function import Image, Network, PythonDirectory, Revision, Settings, Signature
from attacca.model.messages import Catalogue, Deleted, Deployed


def revision(number: int, name: str = "hello", **more: object) -> Revision:
    given: dict[str, object] = {
        "function": name, "number": number, "settings": Settings(name=name), "handler": "main:hello",
        "signature": Signature.NAMED, "artefact": PythonDirectory(f"code{number}"),
    }  # fmt: skip
    return Revision(**{**given, **more})  # type: ignore[arg-type]


def after(*numbers: int) -> Function:
    function = None
    for number in numbers:
        function = deployed(function, revision(number))
    assert function is not None
    return function


def test_the_newest_deploy_is_current() -> None:
    function = after(1, 2, 3)
    assert (function.current, function.last, function.now.number) == (3, 3, 3)


def test_only_the_newest_revisions_are_kept() -> None:
    function = after(*range(1, 15))
    assert [kept.number for kept in function.revisions] == list(range(5, 15))


def test_a_rollback_makes_the_one_before_current_under_its_own_number() -> None:
    function = rolled_back(after(1, 2, 3), None)
    assert (function.current, function.last) == (2, 3)
    assert rolled_back(function, None).current == 1
    assert rolled_back(function, 3).current == 3


def test_a_deploy_after_a_rollback_gets_a_number_of_its_own() -> None:
    known = CatalogueState([rolled_back(after(1, 2), None)], epoch=1)
    assert known.next_number("hello") == 3


def test_a_rollback_to_nowhere_says_what_there_is() -> None:
    with pytest.raises(NotFound, match="before 1"):
        rolled_back(after(1), None)
    with pytest.raises(NotFound) as caught:
        rolled_back(after(1, 2), 7)
    assert caught.value.hint == "kept revisions: 1, 2"
    with pytest.raises(BadRequest, match="already"):
        rolled_back(after(1, 2), 2)


def test_changes_name_what_a_person_wants_to_know() -> None:
    old = revision(1, settings=Settings(name="hello", env={"A": "secret", "B": "same"}))
    new = revision(
        2,
        artefact=PythonDirectory("code2", "b"),
        signature=Signature.ARGS,
        settings=Settings(name="hello", memory_mb=256, cpus=2, network=Network.HOST, env={"B": "same", "C": "new"}),
    )
    assert changes(old, new) == (
        "code", "requirements", "signature: named -> args", "memory_mb: 128 -> 256", "env.A", "env.C",
        "cpus: unset -> 2", "network: none -> host",
    )  # fmt: skip
    assert changes(None, new) == ("new function",)
    assert changes(new, new) == ()
    image = revision(3, artefact=Image("e"))
    assert changes(revision(3), image) == ("code: a directory of Python -> an image",)
    assert changes(image, revision(4, artefact=Image("f"))) == ("code",)
    assert changes(image, revision(4, artefact=Image("e"))) == ()


def test_each_change_is_the_next_generation_and_a_new_epoch_is_beyond_all() -> None:
    known = CatalogueState([after(1)], epoch=2)
    first = 2 << EPOCH_BITS
    assert known.catalogue() == Catalogue(first, (revision(1),))
    assert known.put(after(1, 2)) == Deployed(first + 1, revision(2))
    assert known.remove("hello") == Deleted(first + 2, "hello")
    assert known.catalogue() == Catalogue(first + 2, ())
    assert CatalogueState([], epoch=3).generation > known.generation


def test_numbers_do_not_come_back() -> None:
    known = CatalogueState([after(1, 2)], epoch=1)
    known.remove("hello")
    assert known.next_number("hello") == 3
    known.reserve("other", 1)
    assert known.next_number("other") == 2


def test_numbers_of_the_deleted_are_not_remembered_for_ever() -> None:
    known = CatalogueState([], epoch=1)
    for number in range(5000):
        known.reserve(f"f{number}", 1)
    assert known.next_number("f4999") == 2
    assert known.next_number("f0") == 1


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(NotFound) as caught:
        CatalogueState([after(1)], epoch=1).get("helo")
    assert caught.value.hint == "did you mean hello?"


STEPS = st.lists(st.sampled_from(["deploy", "back", "first"]), max_size=30)


@settings(max_examples=2 * settings().max_examples)
@given(STEPS)
def test_whatever_happens_the_current_revision_is_kept_and_numbers_grow(steps: list[str]) -> None:
    function, numbers = after(1), [1]
    for step in steps:
        if step == "deploy":
            numbers.append(CatalogueState([function], 1).next_number("hello"))
            function = deployed(function, revision(numbers[-1]))
        else:
            try:
                function = rolled_back(function, None if step == "back" else function.revisions[0].number)
            except (NotFound, BadRequest):
                continue
        kept = [one.number for one in function.revisions]
        assert function.now.number in kept
        assert kept == sorted(kept)
        assert len(kept) <= KEPT_REVISIONS
    assert numbers == sorted(set(numbers))
