"""Secrets, and the functions that ask for them."""

from attacca.control.core.events import (
    Examine,
    Reply,
    SecretDeleteAsked,
    SecretSet,
)
from attacca.errors import NotFound, SecretInUse
from attacca.model.messages import (
    Evict,
    Send,
)
from tests.control.core.test_control import deployed, rested
from tests.control.stage import BROKEN, deploy, outcome


def test_a_secret_that_a_function_asks_for_is_not_deleted_unless_it_must_be() -> None:
    stage = rested()
    assert stage.feed(SecretSet("KEY")) == []
    deployed(stage, "a", secrets={"KEY": "env"})
    renewal = Send("w1", Evict("a", templates=True, is_renewal=True))
    assert stage.feed(SecretSet("KEY")) == [renewal]
    [reply] = stage.feed(SecretDeleteAsked("s", "KEY"))
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, SecretInUse)
    stage.feed(SecretDeleteAsked("t", "KEY", is_forced=True))
    assert stage.end(stage.orders[0]) == [renewal, Reply("t", ("a",))]
    [reply] = stage.feed(SecretDeleteAsked("u", "KEY"))
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, NotFound)
    [refused] = stage.feed(deploy("d", "b", secrets={"KEY": "env"}))
    assert isinstance(refused, Reply)
    assert outcome(refused.outcome) == "secret_missing"


def test_a_secret_deleted_under_a_deployment_stops_it_before_it_is_written() -> None:
    stage = rested()
    stage.feed(SecretSet("KEY"))
    stage.feed(deploy("d", secrets={"KEY": "env"}))
    stage.end(stage.order(Examine))
    stage.feed(SecretDeleteAsked("s", "KEY"))
    stage.end(stage.orders[-1])
    stage.play()
    assert outcome(stage.replies["d"]) == "secret_missing"


def test_a_secret_that_cannot_be_deleted_is_still_there() -> None:
    stage = rested()
    stage.feed(SecretSet("KEY"))
    stage.feed(SecretDeleteAsked("s", "KEY"))
    assert not stage.core.is_at_rest()
    assert stage.end(stage.orders[0], fails=True) == [Reply("s", BROKEN)]
    assert stage.core.changes.secrets == {"KEY": None}
