from attacca.gateway.core.inflight import STATUS
from attacca.model.messages import Body, Flow
from attacca.worker.body_buffer import BodyBuffer
from attacca.worker.config import WorkerConfig

SMALL = WorkerConfig(body_hold_kb=1, body_hold_kb_max=3)


def body(kilobytes: int, *, last: bool = False) -> Body:
    return Body("i1", b"x" * 1024 * kilobytes, last)


def test_what_is_held_comes_out_in_order_and_once() -> None:
    held = BodyBuffer(SMALL, lambda *_: None)
    held.expect("g1", "i1", "f")
    bodies = [Body("i1", b"a", last=False), Body("i1", b"b", last=True)]
    assert [held.keep(one) for one in bodies] == [None, None]
    given: list[Body] = []
    held.release("i1", given.append)
    held.release("i1", given.append)
    assert given == bodies


def test_the_sender_pauses_while_much_is_held() -> None:
    said: list[tuple[str, Flow]] = []
    held = BodyBuffer(SMALL, lambda peer, flow: said.append((peer, flow)))
    held.expect("g1", "i1", "f")
    held.keep(body(1))
    held.keep(body(1))
    assert said == [("g1", Flow("i1", paused=True))]
    held.release("i1", lambda _: None)
    assert said == [("g1", Flow("i1", paused=True)), ("g1", Flow("i1", paused=False))]


def test_too_much_is_refused() -> None:
    held = BodyBuffer(SMALL, lambda *_: None)
    held.expect("g1", "i1", "f")
    assert held.keep(body(3)) is None
    refusal = held.keep(body(1))
    assert refusal is not None
    assert refusal.code == "payload_too_large"


def test_what_nobody_expects_is_let_go() -> None:
    held = BodyBuffer(SMALL, lambda *_: None)
    assert held.keep(body(9)) is None
    held.expect("g1", "i1", "f")
    held.drop("i1")
    assert held.keep(body(9)) is None


def test_all_together_are_bounded_and_no_function_takes_all_of_it() -> None:
    held = BodyBuffer(WorkerConfig(body_hold_mb=4), lambda *_: None)
    kept = {"f": 0, "g": 0, "h": 0}
    for function in kept:
        for number in range(5):
            name = f"{function}{number}"
            held.expect("g1", name, function)
            refusal = held.keep(Body(name, bytes(1 << 19), last=False))
            kept[function] += refusal is None
            assert refusal is None or (refusal.code, STATUS[refusal.code]) == ("overloaded", 503)
    assert kept == {"f": 3, "g": 3, "h": 1}
    held.release("f0", lambda _: None)
    held.drop("g0")
    assert held.keep(Body("h1", bytes(1 << 19), last=False)) is None


def test_tiny_pieces_count_for_more_than_their_bytes() -> None:
    held = BodyBuffer(WorkerConfig(body_hold_mb=1), lambda *_: None)
    held.expect("g1", "i1", "f")
    piece = Body("i1", b"x", last=False)
    assert any(held.keep(piece) is not None for _ in range(5000))


def test_it_says_what_it_holds() -> None:
    held = BodyBuffer(SMALL, lambda *_: None)
    held.expect("g1", "i1", "f")
    held.keep(body(1))
    assert repr(held) == f"<BodyBuffer 1 invocations, {held._budget}>"
    assert repr(held._waits["i1"]) == "<Waits 1 bodies of f, 1024 bytes>"
