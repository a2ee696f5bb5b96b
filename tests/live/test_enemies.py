"""Who has taken a machine has a certificate and the join token: what control tells it, and what it takes from it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.cli.serve.cluster import ticket
from attacca.io.certificates import Certificates
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, parsed
from attacca.model.endpoints import AskEndpoints, SandboxDown
from attacca.model.invocation import Failed
from attacca.model.messages import Said, ToControl, WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.supplies import AskSecrets, SecretsTold
from tests.live.apart import Cluster, cluster
from tests.live.patience import PATIENCE_S
from tests.live.whole import until

ENEMY = WorkerView(name="enemy", capacity=Resources(1), used=Resources(0), queued=0, running=0, limit=1, draining=True)


@pytest.fixture(scope="module")
def planes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("planes"), workers=1, with_certs=True) as made:
        yield made


def say(planes: Cluster, plane: str, words: list[ToControl], until_told: type = int) -> list[Any]:
    """What control has told a plane of that kind named `enemy` by then, or by the end of the link; that as text."""

    async def main() -> list[Any]:
        told: list[Any] = []
        over = asyncio.Event()

        def hear(message: Any) -> None:
            told.append(message)
            if isinstance(message, until_told):
                over.set()

        def lose(_: str, why: str) -> None:
            told.append(why)
            over.set()

        peers: Peers[Any] = Peers()

        def begin(peer: str) -> None:
            for word in words:
                peers.send(peer, word)

        peers.bind(begin, lambda _: hear, lose)
        directory = planes.certs(plane, "enemy")[1]
        hello = ticket(plane, "enemy", planes.token.encode()).hello()
        where = parsed(planes.control.info["join"])
        assert where is not None
        dialer = Dialer(
            lambda: StreamLink(peers, hello, Said, has_dialed=True), [where], Certificates(Path(directory)).to_dial
        )
        dialer.open()
        async with asyncio.timeout(PATIENCE_S):
            await over.wait()
        await dialer.close("enough")
        return told

    return asyncio.run(main())


def test_it_is_told_no_secret_but_of_what_it_may_be_asked_to_run(planes: Cluster) -> None:
    secret = {"content-type": "application/octet-stream"}
    for name in ("USED", "UNUSED"):
        assert planes.control.ask("PUT", f"/api/secrets/{name}", b"sesame", secret).status < 300
    planes.control.function("asks", "def asks():\n    return 1", secrets={"USED": "env"})
    planes.control.function("placed", "def placed():\n    return 1", secrets={"UNUSED": "env"}, scheduling="cluster")
    asked: list[ToControl] = [AskSecrets("1", ("USED", "UNUSED"))]
    [told] = [one for one in say(planes, "worker", asked, SecretsTold) if isinstance(one, SecretsTold)]
    assert told.values == {}, "it has not joined"
    asked.insert(0, WorkerJoined(ENEMY))
    [told] = [one for one in say(planes, "worker", asked, SecretsTold) if isinstance(one, SecretsTold)]
    assert told.values == {"USED": b"sesame"}
    until(lambda: "worker 'enemy' has asked for the secret UNUSED" in planes.control.said, "it is logged")
    assert "sesame" not in planes.control.said


@pytest.mark.parametrize(
    ("plane", "word"),
    [
        ("gateway", AskSecrets("1", ("USED",))),
        ("gateway", WorkerJoined(ENEMY)),
        ("worker", AskEndpoints()),
        ("worker", SandboxDown("w1", "c1-1", Failed("sandbox_lost", "gone"))),
    ],
)
def test_it_may_not_say_what_is_anothers_to_say(planes: Cluster, plane: str, word: ToControl) -> None:
    end = say(planes, plane, [word])[-1]
    assert "the peer closed it: " in end
    assert f"the link to {plane} 'enemy' ends: " in planes.control.said
    assert {one["name"] for one in planes.control.get("/api/workers")} == {"w1"}
