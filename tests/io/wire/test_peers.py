from functools import partial

from attacca.errors import PayloadTooLarge
from attacca.io.wire.conformance import LEFT, RIGHT, Recorder, Word
from attacca.io.wire.memory import join
from attacca.io.wire.peers import Peers
from attacca.io.wire.types import Hello
from tests.logged import Logged


class Driver:
    """Notes what it is told of its peers."""

    def __init__(self) -> None:
        self.story: list[str] = []

    def join(self, peer: str) -> None:
        self.story.append(f"{peer} joined")

    def receive(self, peer: str, message: Word) -> None:
        self.story.append(f"{peer} said {message.number}")

    def press(self, peer: str, is_slow: bool) -> None:  # noqa: FBT001 - mirrors Peers
        self.story.append(f"{peer} {'is slow' if is_slow else 'has caught up'}")

    def lose(self, peer: str, why: str) -> None:
        self.story.append(f"{peer} left: {why}")


def bound(driver: Driver) -> Peers[Word]:
    peers: Peers[Word] = Peers()
    peers.bind(driver.join, lambda peer: partial(driver.receive, peer), driver.lose, driver.press)
    return peers


def test_a_name_is_sent_to_by_its_link() -> None:
    driver, one, two = Driver(), Recorder(), Recorder()
    peers = bound(driver)
    join(one, RIGHT, peers, LEFT)
    join(two, Hello("worker", "second", b"sesame"), peers, LEFT)
    peers.send("right", Word(1))
    peers.send("second", Word(2))
    peers.send("nobody", Word(3))
    two.link.send(Word(4))
    one.link.close("done")
    assert (one.numbers, two.numbers) == ([1], [2])
    assert driver.story == ["right joined", "second joined", "second said 4", "right left: the peer closed it: done"]
    assert (repr(peers), peers.names()) == ("<Peers second>", ["second"])


def test_who_comes_anew_has_left_first() -> None:
    driver, old, new = Driver(), Recorder(), Recorder()
    peers = bound(driver)
    join(old, RIGHT, peers, LEFT)
    join(new, RIGHT, peers, LEFT)
    old.link.send(Word(1))
    peers.send("right", Word(2))
    assert driver.story == ["right joined", "right left: it came anew", "right joined"]
    assert (old.numbers, old.ends, new.numbers) == ([], ["the peer closed it: it came anew"], [2])


def test_what_is_too_large_for_a_link_is_left_out_and_logged(logged: Logged) -> None:
    class Narrow:
        def send(self, message: Word) -> None:
            raise PayloadTooLarge("1 byte too many", "send less")

        def pause(self) -> None: ...
        def resume(self) -> None: ...
        def close(self, why: str) -> None: ...
        def cut(self) -> None: ...

    peers = bound(Driver())
    peers.opened(Narrow(), RIGHT)
    peers.send("right", Word(7))
    assert logged.messages == ["not sent to right: 1 byte too many"]


def test_a_slow_peer_is_told_by_name() -> None:
    driver, other = Driver(), Recorder()
    peers = bound(driver)
    link = join(peers, LEFT, other, RIGHT)
    assert link is not None
    peers.pressed(link, is_slow=True)
    peers.pressed(link, is_slow=False)
    assert driver.story == ["right joined", "right is slow", "right has caught up"]
