"""Whatever planes say to each other travels: as bytes and back it is the same, and nothing else is taken for it."""

import random
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from attacca.io.wire.frames import HEAD, Codec
from attacca.model import doors, endpoints, energy, events, federation, history, journals, looks, messages, supplies
from attacca.model.invocation import Failed, FunctionError
from attacca.model.messages import Ended
from tests.io.wire.words import draw

UNIONS: dict[str, Any] = {
    name: getattr(messages, name)
    for name in ("Announced", "Said", "FromControl", "ToGateway", "Supplied", "ToControl", "ToWorker", "FromWorker")
} | {"BetweenInstances": events.BetweenInstances, "BetweenPortals": federation.BetweenPortals}
WORDS = sorted({word for union in UNIONS.values() for word in get_args(union)}, key=lambda word: str(word.__name__))
ROADS = [(word, name) for word in WORDS for name, union in UNIONS.items() if word in get_args(union)]
KINDS = {word: inspect.type_info(word) for word in WORDS}
MOST = 1 << 24
CODECS = {name: Codec(union, MOST) for name, union in UNIONS.items()}


def said() -> list[type]:
    """All tagged structs of the modules."""
    homes = (messages, endpoints, energy, supplies, journals, events, doors, federation, looks, history)
    told = [kind for home in homes for kind in vars(home).values()]
    kinds = [kind for kind in told if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
    modules = [home.__name__ for home in homes]
    return [kind for kind in kinds if kind.__module__ in modules and kind.__struct_config__.tag is not None]


def test_every_message_is_a_word_of_a_link() -> None:
    heard = {"WorkerLeft", "GatewayLeft"}  # what is known of a peer that says nothing any more
    inside = {"Event", "Reply"}  # of Passed
    assert {kind.__name__ for kind in said()} - heard - inside == {word.__name__ for word in WORDS}


@pytest.mark.long
@given(st.integers(0, 2**32))
def test_a_message_travels(seed: int) -> None:
    chance = random.Random(seed)
    for word, name in ROADS:
        message, codec = draw(chance, KINDS[word]), CODECS[name]
        assert codec.decode(codec.encode(message)[HEAD:]) == message


def test_no_value_of_a_secret_is_in_what_is_logged() -> None:
    assert repr(supplies.SecretsTold("1", {"DB": b"sesame"})) == "SecretsTold('1', ['DB'])"


def test_half_a_surrogate_pair_travels_as_a_question_mark() -> None:
    codec = Codec(messages.FromWorker, MOST)
    ended = Ended("a", FunctionError("ValueError", "half \ud83d of one", "tb \udc00"), 1.5)
    assert codec.decode(codec.encode(ended)[HEAD:]) == Ended(
        "a", FunctionError("ValueError", "half ? of one", "tb ?"), 1.5
    )
    failed = Ended("\ud800", Failed("timeout", "x"))
    assert codec.decode(codec.encode(failed)[HEAD:]).id == "?"
