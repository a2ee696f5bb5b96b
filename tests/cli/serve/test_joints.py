import asyncio
from typing import Any

from attacca.cli.serve.joints import End, Joints, WireConfig
from attacca.io.wire.conformance import LEFT, RIGHT, Recorder, Word
from attacca.io.wire.peers import Peers


def test_planes_are_joined_in_memory_and_parted_together() -> None:
    async def main() -> None:
        told: list[Any] = []
        peers, other = Peers[Word](), Recorder()
        peers.bind(lambda peer: told.append(f"{peer} joined"), lambda _: told.append, lambda *why: told.append(why))
        joints = Joints(WireConfig())
        await joints.join(End(peers, LEFT, Word), End(other, RIGHT, Word))
        assert repr(joints) == "<Joints memory: 1>"
        other.link.send(Word(1))
        peers.send("right", Word(2))
        await joints.close()
        assert told == ["right joined", Word(1), ("right", "the server ends")]
        assert (other.numbers, other.ends) == ([2], ["the peer closed it: the server ends"])

    asyncio.run(main())
