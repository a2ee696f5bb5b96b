"""What a plane may say to control: what is in its part, in its own name."""

import random
from typing import Any, get_args

from msgspec import inspect

from attacca.control.speakers import SPEAKERS, foreign
from attacca.model.endpoints import Loads, SandboxUp
from attacca.model.messages import GatewayJoined, OfGateway, ToControl
from attacca.model.supplies import AskSecrets
from tests.cases import each
from tests.io.wire.words import draw


def test_every_word_is_somebodys() -> None:
    words = set(get_args(ToControl))
    assert {kind for said in SPEAKERS.values() for kind in said} == words
    assert set(SPEAKERS["gateway"]) == set(get_args(OfGateway))


@each("kind", get_args(ToControl))
def test_a_name_is_asked_wherever_there_is_one(kind: Any) -> None:
    message = draw(random.Random(1), inspect.type_info(kind))
    for plane, said in SPEAKERS.items():
        if kind not in said:
            assert foreign(plane, "x", message) == f"a {plane} does not say {kind.__name__}"
            continue
        name = said[kind]
        if name is None:
            assert not {"peer", "worker", "view"} & set(kind.__struct_fields__) or kind.__name__ == "Viewed"
            assert foreign(plane, "x", message) == ""
        else:
            assert foreign(plane, name(message), message) == ""
            assert "in the name of" in foreign(plane, name(message) + "x", message)


def test_nobody_else_says_anything() -> None:
    assert foreign("control", "x", Loads(())) == "a control does not say Loads"
    assert foreign("gateway", "g", AskSecrets("1", ("KEY",))) == "a gateway does not say AskSecrets"
    assert foreign("worker", "w2", SandboxUp("w1", "s")) == "it says SandboxUp in the name of 'w1'"
    assert foreign("worker", "w1", SandboxUp("w1", "s")) == ""
    assert foreign("worker", "w1", GatewayJoined("w1")) != ""
