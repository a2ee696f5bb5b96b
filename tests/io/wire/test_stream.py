import asyncio
from typing import Any

from attacca.io.wire.conformance import LEFT, RIGHT, SMALL, Recorder, Word, check_link
from attacca.io.wire.frames import Goodbye
from attacca.io.wire.strangers import Hand, check_bytes
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.types import Hello, Limits, Receiver
from tests.io.wire.pipe import PipeHand, PipeTransport, joined


class PipeJoint:
    def __init__(
        self, left: Receiver[Any], left_hello: Hello, right: Receiver[Any], right_hello: Hello, limits: Limits
    ) -> None:
        self._sides = (left, left_hello), (right, right_hello)
        self._limits = limits
        self._join()

    def _join(self) -> None:
        self.links = [
            StreamLink(*side, Word, self._limits, has_dialed=number == 0) for number, side in enumerate(self._sides)
        ]
        joined(*self.links)

    async def cut(self) -> None:
        self.links[0].cut()

    async def mend(self) -> None:
        self._join()

    async def close(self) -> None:
        for link in self.links:
            link.close("done")
        for link in self.links:
            await link.ended.wait()


async def by_pipe(*sides: Any) -> PipeJoint:
    return PipeJoint(*sides)


async def dial(receiver: Receiver[Any], hello: Hello, limits: Limits) -> Hand:
    hand = PipeHand()
    joined(StreamLink(receiver, hello, Word, limits, has_dialed=False), hand)
    return hand


def test_the_stream_link_does_what_a_link_does() -> None:
    asyncio.run(check_link(by_pipe))


def test_whatever_bytes_come_are_received_or_refused() -> None:
    asyncio.run(check_bytes(dial))


def test_its_repr_counts() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        joint = PipeJoint(left, LEFT, right, RIGHT, SMALL)
        assert repr(joint.links[1]).startswith("<StreamLink opening: 0 received, 0 bytes half here, ")
        await left.until(lambda one: one.links != [])
        await right.until(lambda one: one.links != [])
        left.link.send(Word(1))
        await right.until(lambda one: one.numbers == [1])
        assert repr(joint.links[1]) == "<StreamLink open: 1 received, 0 bytes half here, 0 unsent>"
        await joint.close()
        assert repr(joint.links[1]) == "<StreamLink closed: 1 received, 0 bytes half here, 0 unsent>"

    asyncio.run(main())


def test_who_is_not_admitted_hears_why_and_where_to_go_instead() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        dialing = StreamLink(left, LEFT, Word, SMALL, has_dialed=True)
        listening = StreamLink(
            right, RIGHT, Word, SMALL, has_dialed=False, admit=lambda hello: Goodbye(f"not {hello.name}", "h:7")
        )
        joined(dialing, listening)
        await dialing.ended.wait()
        await listening.ended.wait()
        assert (dialing.was_open, dialing.instead) == (False, "h:7")
        assert "not left" in left.refusals[0]
        assert right.refusals == ["not left"]

    asyncio.run(main())


class Shown(PipeTransport):
    """One that has shaken hands with somebody of these names."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        names = (("URI", "attacca://gateway/other"),)
        return {"subjectAltName": names} if name == "peercert" else default


def test_who_says_another_name_than_its_certificate_is_refused() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        dialing = StreamLink(left, LEFT, Word, SMALL, has_dialed=True)
        listening = StreamLink(right, RIGHT, Word, SMALL, has_dialed=False)
        one, other = PipeTransport(dialing), Shown(listening)
        one.peer, other.peer = other, one
        listening.connection_made(other)
        dialing.connection_made(one)
        await listening.ended.wait()
        assert (
            "says that it is gateway 'left', and shows the certificate of attacca://gateway/other" in right.refusals[0]
        )
        await dialing.ended.wait()

    asyncio.run(main())
