from attacca.model.messages import Body, Flow, FromWorker
from attacca.worker.config import WorkerConfig
from attacca.worker.held import Held

SMALL = WorkerConfig(body_hold_kb=1, body_hold_kb_max=3)


def body(kilobytes: int, *, last: bool = False) -> Body:
    return Body("i1", b"x" * 1024 * kilobytes, last)


def test_what_is_held_comes_out_in_order_and_once() -> None:
    held = Held(SMALL, lambda _: None)
    held.expect("i1")
    bodies = [Body("i1", b"a", last=False), Body("i1", b"b", last=True)]
    assert all(held.keep(one) for one in bodies)
    given: list[Body] = []
    held.release("i1", given.append)
    held.release("i1", given.append)
    assert given == bodies


def test_the_sender_pauses_while_much_is_held() -> None:
    said: list[FromWorker] = []
    held = Held(SMALL, said.append)
    held.expect("i1")
    held.keep(body(1))
    held.keep(body(1))
    assert said == [Flow("i1", paused=True)]
    held.release("i1", lambda _: None)
    assert said == [Flow("i1", paused=True), Flow("i1", paused=False)]


def test_too_much_is_refused() -> None:
    held = Held(SMALL, lambda _: None)
    held.expect("i1")
    assert held.keep(body(3))
    assert not held.keep(body(1))


def test_what_nobody_expects_is_let_go() -> None:
    held = Held(SMALL, lambda _: None)
    assert held.keep(body(9))
    held.expect("i1")
    held.drop("i1")
    assert held.keep(body(9))
