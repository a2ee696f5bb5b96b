from typing import cast

from attacca.model.invocation import Invocation, Ok, Outcome, Request
from attacca.worker.core.reports import Report, RunBody, RunFlow, RunHead
from attacca.worker.runtime.container.errand import Errand
from attacca.worker.runtime.container.upstream import Upstream


class Line:
    """A connection that takes all that it is told."""

    def __init__(self) -> None:
        self.sent = b""
        self.pauses: list[bool] = []

    def ask(self, _: object, data: bytes) -> None:
        self.sent += data

    def send(self, data: bytes) -> None:
        self.sent += data

    def pause(self, *, is_paused: bool) -> None:
        self.pauses.append(is_paused)


class Desk:
    def __init__(self, request: Request) -> None:
        self.reports: list[Report] = []
        self.outcomes: list[Outcome] = []
        self.broke = 0
        self.errand = Errand(
            "s1", Invocation("i1", "f", "f@1", request), 8080, self.reports.append, self._ended, self._broke
        )

    def _ended(self, _: Errand, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def _broke(self, _: Errand) -> None:
        self.broke += 1


def test_a_short_answer_is_one_report() -> None:
    desk = Desk(Request())
    errand = desk.errand
    assert repr(errand) == "<Errand i1 waiting>"
    errand.head(201, ((b"Content-Type", b"text/plain"), (b"Content-Length", b"4"), (b"X", b"y")))
    errand.data(b"ab")
    errand.data(b"cd")
    errand.end()
    assert desk.reports == []
    assert desk.outcomes == [Ok(b"abcd", "text/plain", 201, ((b"X", b"y"),))]


def test_a_long_one_and_one_without_a_length_go_on_as_they_come() -> None:
    for length in ((b"content-length", b"9999999"),), ():
        desk = Desk(Request())
        desk.errand.head(200, ((b"content-type", b"a/b"), *length))
        desk.errand.data(b"x")
        desk.errand.end()
        assert desk.reports == [
            RunHead("s1", "i1", 200, ((b"content-type", b"a/b"), *length)),
            RunBody("s1", "i1", b"x"),
        ]
        assert desk.outcomes == [Ok(streamed=True)]


def test_a_body_that_comes_before_its_connection_waits_for_it() -> None:
    desk, line = Desk(Request(b"a", more=True)), Line()
    desk.errand.send(b"b", last=False)
    desk.errand.begin(cast(Upstream, line))
    desk.errand.send(b"", last=True)
    assert line.sent.endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n")


def test_who_reads_slowly_is_waited_for() -> None:
    desk, line = Desk(Request()), Line()
    desk.errand.begin(cast(Upstream, line))
    desk.errand.flow(paused=True)
    desk.errand.head(200, ())
    desk.errand.end()
    assert line.pauses == [True, False]
    desk.errand.press(is_slow=True)
    assert desk.reports[-1] == RunFlow("s1", "i1", paused=True)


def test_what_may_be_asked_twice_is_what_has_no_answer_and_does_the_same_again() -> None:
    assert Desk(Request(method="GET")).errand.may_be_repeated
    assert not Desk(Request(method="POST")).errand.may_be_repeated
    assert not Desk(Request(method="PUT", more=True)).errand.may_be_repeated
    desk = Desk(Request(method="GET"))
    desk.errand.head(200, ())
    assert not desk.errand.may_be_repeated
    desk.errand.broken("it closed the connection")
    assert desk.broke == 1
    assert desk.errand.failed().message == "it closed the connection"
