from typing import Any

from attacca.cli.serve.planes.door import Once
from attacca.io.wire.conformance import Recorder
from attacca.io.wire.memory import join
from attacca.io.wire.peers import Peers
from attacca.io.wire.types import Hello

CONTROL = Hello("control", "control")


def hello(name: str, instance: bytes, plane: str = "worker") -> Hello:
    return Hello(plane, name, instance=instance)


def test_one_process_has_a_name_until_nobody_hears_of_it() -> None:
    peers: Peers[Any] = Peers()
    peers.bind(lambda _: None, lambda _: lambda _: None, lambda _, __: None)
    silent: set[str] = set()
    once = Once(peers, silent.__contains__)
    assert once.admit(hello("w", b"1")) is None
    there = Recorder()
    join(there, hello("w", b"1"), peers, CONTROL)
    assert once.admit(hello("w", b"1")) is None, "the same one comes anew"
    refused = once.admit(hello("w", b"2"))
    assert refused is not None
    assert "there is a worker named 'w' already" in refused.why
    silent.add("w")
    assert once.admit(hello("w", b"2")) is None, "nobody hears of the other"
    assert once.admit(hello("w", b"2", "gateway")) is not None, "another plane never takes it over"
    stranger = once.admit(hello("control", b"4", "gateway"))
    assert stranger is not None
    assert "only control is named 'control'" in stranger.why
    assert repr(once) == "<Once 1 names>"
    there.link.close("done")
    assert once.admit(hello("w", b"3")) is None
