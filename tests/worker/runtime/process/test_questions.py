import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest import channel as wire
from attacca.worker.runtime.process.questions import ASK_MOST, UNHEARD_MOST, Questions
from attacca.worker.runtime.process.untrusted import NONSENSE

LEFT_S = {1: 2.5, 2: -1.0}


class Asked:
    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.questions = Questions(LEFT_S.get, self.sent.append)

    def ask(self, number: int, kind: int, question: int = 9, more: bytes = b"", *, is_deaf: bool = False) -> object:
        """What it is told, and whether it was refused."""
        self.questions.take(number, wire.ASK_HEAD.pack(question, kind) + more, is_deaf=is_deaf)
        size, answered, whose = wire.HEAD.unpack_from(self.sent[-1])
        payload = self.sent[-1][wire.HEAD.size :]
        assert (size, answered, whose) == (len(payload), wire.ANSWERED, number)
        told, is_refused = wire.ANSWERED_HEAD.unpack_from(payload)
        assert told == question
        return json.loads(payload[wire.ANSWERED_HEAD.size :]), bool(is_refused)


def test_what_is_known_is_answered() -> None:
    asked = Asked()
    assert asked.ask(1, wire.TIME_LEFT) == ({"ms": 2500}, False)
    assert asked.ask(2, wire.TIME_LEFT, (1 << 32) - 1) == ({"ms": 0}, False)
    assert repr(asked.questions) == "<Questions 2 answered, 0 refused, 0 unheard>"


def test_what_is_not_known_is_refused_and_does_no_harm() -> None:
    asked = Asked()
    assert asked.ask(1, 200) == ("this worker answers no question of kind 200", True)
    assert asked.ask(3, wire.TIME_LEFT) == ("no invocation 3 runs in this sandbox", True)
    assert asked.ask(1, wire.TIME_LEFT) == ({"ms": 2500}, False)
    assert repr(asked.questions) == "<Questions 1 answered, 2 refused, 0 unheard>"


@pytest.mark.parametrize("payload", [b"", b"\0\0\0", wire.ASK_HEAD.pack(1, 1) + bytes(ASK_MOST)])
def test_what_is_no_question_is_nonsense(payload: bytes) -> None:
    asked = Asked()
    with pytest.raises((struct.error, ValueError)) as caught:
        asked.questions.take(1, payload, is_deaf=False)
    assert isinstance(caught.value, NONSENSE)
    assert asked.sent == []


def test_who_asks_and_does_not_listen_is_told_so_much_and_no_more() -> None:
    asked = Asked()
    for _ in range(2):
        for _ in range(UNHEARD_MOST):
            asked.ask(1, wire.TIME_LEFT, is_deaf=True)
        asked.ask(1, wire.TIME_LEFT)
    for _ in range(UNHEARD_MOST):
        asked.ask(1, wire.TIME_LEFT, is_deaf=True)
    with pytest.raises(ValueError, match="does not listen"):
        asked.ask(1, wire.TIME_LEFT, is_deaf=True)


@given(st.binary(max_size=40), st.integers(0, (1 << 32) - 1))
def test_whatever_it_says_there_is_one_bounded_answer_or_it_is_nonsense(payload: bytes, number: int) -> None:
    asked = Asked()
    try:
        asked.questions.take(number, payload, is_deaf=False)
    except NONSENSE:
        assert asked.sent == []
    else:
        assert len(asked.sent) == 1
        assert len(asked.sent[0]) < 200
