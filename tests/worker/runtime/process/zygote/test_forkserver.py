import socket

from attacca.worker.runtime.process.zygote.forkserver import ForkServer
from attacca.worker.runtime.process.zygote.homes import HeldHomes
from attacca.worker.runtime.process.zygote.minder import PlaceForker
from attacca.worker.runtime.process.zygote.networks import HeldNetworks
from attacca.worker.runtime.process.zygote.template import PlainForker
from attacca.worker.runtime.process.zygote.zygote import NamespaceForker


def test_they_say_how_they_are() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert repr(ForkServer(near, lambda *_: None, PlainForker())) == "<ForkServer 0 children>"
        forker = PlaceForker(near, "/function")
        assert repr(forker) == "<PlaceForker nowhere>"
        forker._next = OSError("no")
        assert repr(forker) == "<PlaceForker stuck>"
    assert (
        repr(NamespaceForker(0x20000, HeldNetworks(-1), HeldHomes(-1), has_handlers=False))
        == "<NamespaceForker 0x20000, user 0>"
    )
