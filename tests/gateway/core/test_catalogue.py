from attacca.gateway.core.catalogue import AskCatalogue, Functions
from attacca.model.messages import Catalogue, Deleted, Deployed
from tests.gateway.play import revision


def known(*names: str) -> Functions:
    functions = Functions(calls_kept=3)
    functions.learn(Catalogue(7, tuple(revision(name) for name in names)))
    return functions


def test_numbered_messages_are_followed() -> None:
    functions = known("alpha")
    assert functions.learn(Deployed(8, revision("beta"))) is None
    assert functions.learn(Deployed(9, revision("alpha", 2))) is None
    assert functions.learn(Deleted(10, "beta")) is None
    assert {name: function.number for name, function in functions.by_name.items()} == {"alpha": 2}


def test_a_gap_asks_once_for_the_whole() -> None:
    functions = known("alpha")
    assert functions.learn(Deployed(9, revision("beta"))) == AskCatalogue(7, 9)
    assert functions.learn(Deleted(10, "alpha")) is None
    assert list(functions.by_name) == ["alpha"]
    functions.learn(Catalogue(10, (revision("beta"),)))
    assert list(functions.by_name) == ["beta"]
    assert functions.learn(Deployed(12, revision("gamma"))) == AskCatalogue(10, 12)


def test_a_message_before_any_catalogue_asks_for_it() -> None:
    assert Functions(3).learn(Deployed(1, revision("alpha"))) == AskCatalogue(-1, 1)


def test_old_news_change_nothing() -> None:
    functions = known("alpha")
    assert functions.learn(Deleted(7, "alpha")) is None
    assert list(functions.by_name) == ["alpha"]


def test_a_new_revision_keeps_the_counters() -> None:
    functions = known("alpha")
    counters = functions.by_name["alpha"].statistics
    functions.learn(Deployed(8, revision("alpha", 2)))
    functions.learn(Catalogue(9, (revision("alpha", 3),)))
    assert functions.by_name["alpha"].statistics is counters
    assert functions.by_name["alpha"].revision_id == "alpha@3"


def test_unknown_names_are_told_near_ones() -> None:
    assert known("resize", "markdown").unknown("resise").hint == "did you mean resize?"
    assert "attacca list" in known("resize").unknown("x").hint
    assert "attacca deploy" in known().unknown("x").hint


def test_who_has_heard_of_no_catalogue_does_not_say_that_there_is_no_such_function() -> None:
    assert Functions(3).unknown("x").retryable


def test_an_absurd_name_is_cut_short() -> None:
    error = known("resize").unknown("x" * 10_000)
    assert len(error.message) < 120


def test_it_says_what_it_knows() -> None:
    assert repr(Functions(3)) == "<Functions 0, generation none yet>"
    assert repr(known("alpha", "beta")) == "<Functions 2, generation 7>"
