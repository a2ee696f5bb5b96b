"""Everything that changes says its state in one line; what it says is asserted where it is tested."""

import asyncio
from typing import Any

from attacca.gateway.config import GatewayConfig
from attacca.gateway.http.asgi_adapter import AsgiAdapter
from attacca.gateway.http.delivery import Delivery
from attacca.gateway.http.plane import ToControl, ToLeader
from attacca.gateway.http.room import Room, Rooms
from tests.mutable import without_repr


def test_every_class_that_changes_says_its_state() -> None:
    assert without_repr("attacca.gateway.http") == []


def test_rooms_say_what_they_hold() -> None:
    rooms = Rooms(GatewayConfig(buffers_mb=64))
    Room(rooms.pieces, "f").take(10)
    assert repr(rooms).count("<Budget 0 of ") == 2
    assert "<Budget 10 of 16777216, 1 owners, 0 waiting>" in repr(rooms)


def test_whoever_hands_on_says_how_many_addresses_it_knows() -> None:
    behind: Any = None
    assert repr(ToControl(behind, lambda: "")) == "<ToControl <Targets 0 known>>"
    assert repr(ToLeader(behind, lambda: None)) == "<ToLeader <Targets 0 known>>"


def test_rooms_stand_beside_one_another() -> None:
    assert repr(Rooms(GatewayConfig(buffers_mb=64))).startswith("<Rooms <Budget 0 of ")


def test_what_is_answered_says_how_far_it_is() -> None:
    answers: Any = None
    delivery = Delivery(answers)
    assert repr(delivery) == "<Delivery under way>"
    delivery.lost()
    assert repr(delivery) == "<Delivery over>"


def test_an_adapter_says_what_its_application_has_not_taken() -> None:
    async def app(*_: Any) -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        answers: Any = None
        adapter = AsgiAdapter(answers, lambda: None, app, {})
        adapter.feed(b"four", last=False)
        assert repr(adapter) == "<AsgiAdapter running, 4 bytes wait for the application>"
        adapter.lost()
        assert repr(adapter) == "<AsgiAdapter lost, 4 bytes wait for the application>"

    asyncio.run(main())
