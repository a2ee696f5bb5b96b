"""The client of an invocation that nobody waits for."""

from typing import Any

from attacca.gateway.attempt import Attempt


def test_it_says_how_much_of_an_answer_it_has() -> None:
    gateway: Any = None
    attempt = Attempt(gateway, 100, lambda *_: None)
    attempt.head(200, ())
    attempt.body(b"four")
    assert repr(attempt) == "<Attempt nothing, 4 of at most 100 bytes>"
