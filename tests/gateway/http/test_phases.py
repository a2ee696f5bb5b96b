"""Every phase of an exchange meets every event: it moves, or refuses it and changes nothing."""

import pytest

from attacca.errors import IllegalTransition
from attacca.gateway.http.phases import EVENTS, Phase
from tests.cases import each
from tests.gateway.http.stage import Stage

TABLE = """\
            whole   open        stream     wait     room        last       head       end     pass     close
idle        served  collecting  uploading  !        !           !          !          !       !        closed
collecting  !       !           !          waiting  !           served     !          !       !        closed
waiting     !       !           !          !        collecting  !          !          !       !        closed
served      !       !           !          !        !           !          answering  idle    !        closed
uploading   !       !           !          !        !           served     both       closed  passing  closed
answering   !       !           !          !        !           !          !          idle    !        closed
both        !       !           !          !        !           answering  !          closed  !        closed
passing     !       !           !          !        !           idle       !          !       !        closed
closed      !       !           !          !        !           !          !          !       !        closed
"""
ROWS = [
    (row.split()[0], name, to)
    for row in TABLE.splitlines()[1:]
    for name, to in zip(TABLE.split("\n")[0].split(), row.split()[1:], strict=True)
]


def test_the_table_has_all_of_them() -> None:
    assert {(phase, event) for phase, event, _ in ROWS} == {
        (phase.name.lower(), event) for phase in Phase for event in EVENTS
    }


@each("phase", [phase.name.lower() for phase in Phase])
def test_a_phase_meets_every_event(phase: str) -> None:
    for _, event, becomes in (row for row in ROWS if row[0] == phase):
        meet(phase, event, becomes)


def meet(phase: str, event: str, becomes: str) -> None:
    exchange = STAGE.connect().connection.exchange
    exchange.phase = Phase[phase.upper()]
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"an exchange is {phase}: {event} cannot happen"):
            exchange._step(EVENTS[event])
        becomes = phase
    else:
        exchange._step(EVENTS[event])
    assert exchange.phase.name.lower() == becomes, event


STAGE = Stage()
