import asyncio
import os
import socket

from attacca.kernel.clock import ManualClock
from attacca.model.function import Image, Revision, Settings, Signature
from attacca.worker.host.network import Networks
from attacca.worker.runtime.container.contracts import named
from attacca.worker.runtime.container.datagrams import Datagrams, Sender
from attacca.worker.runtime.container.keeping import Keeping
from attacca.worker.runtime.container.output import PER_S, Output
from attacca.worker.runtime.container.publishing import Listener, Publishing
from attacca.worker.runtime.container.sandbox import Container
from tests.cases import each

REVISION = Revision(
    function="box", number=1, settings=Settings(name="box"), handler="", signature=Signature.WSGI, artefact=Image("a")
)


def test_what_there_is_of_a_container() -> None:
    async def main() -> None:
        container = Container("s1", REVISION, ManualClock(), lambda _: None, lambda *_: None)
        assert repr(container) == "<Container s1 starting, 0 running, 0 connections idle>"
        os.write(container.output.writer, b"said before it ended\n")
        assert container.close() == "said before it ended"
        heard: list[bytes] = []
        output = Output(asyncio.get_running_loop(), heard.append)
        assert repr(output) == f"<Output 0 bytes at its end, 0 of {PER_S} in this second>"
        os.write(output.writer, b"x" * 5000)
        assert output.read()
        assert repr(output) == f"<Output 4096 bytes at its end, 5000 of {PER_S} in this second>"
        output.close()
        assert not output.read()

    asyncio.run(main())


def test_what_there_is_of_what_minds_them() -> None:
    keeping = Keeping("/usr/bin/crun", lambda _: None, lambda: None)
    assert repr(keeping).startswith(f"<Keeping attacca-{os.getpid()}-")
    assert repr(keeping).endswith(" by crun, closed>")
    assert repr(Publishing("127.0.0.1")) == "<Publishing 0 ports of 127.0.0.1>"
    assert repr(Listener("db")) == "<Listener of db: 0 of 0 ready, 0 visits>"
    assert repr(Datagrams("dns")) == "<Datagrams of dns: 0 of 0 ready, 0 senders>"
    with socket.socket() as sock:
        sender = Sender(("192.0.2.1", 5353), "s1", Container.__new__(Container), sock, 0.0)
        assert repr(sender) == "<Sender 192.0.2.1:5353 of s1>"
    networks = Networks(4)
    assert repr(networks) == "<Networks 0 ready, 0 being made>"
    assert repr(networks.machine()) == "<Namespace -1>"


@each(
    "command, name",
    [
        (("/usr/bin/python3.11", "-m", "x"), "python3.11"),
        (("./entry point.sh",), "entry.point.sh"),
        (("/",), "image"),
        (("é..",), "é"),
    ],
)
def test_a_program_is_called_as_a_handler_may_be(command: tuple[str, ...], name: str) -> None:
    assert named(command) == name
