from attacca.control.packing import packing
from attacca.io.wire.frames import HEAD, Codec
from attacca.model.messages import Catalogue, Deleted, Deployed, FromControl
from tests.worker.stage import revision


def test_a_catalogue_is_encoded_once_and_arrives_as_it_was() -> None:
    sent: list[tuple[str, object]] = []
    send, catalogue = packing(lambda peer, message: sent.append((peer, message))), Catalogue(7, (revision("f"),))
    for peer, message in (("w1", catalogue), ("w2", catalogue), ("w1", Deleted(8, "f"))):
        send(peer, message)
    (_, first), (_, second), (_, other) = sent
    assert first is second
    assert other == Deleted(8, "f")
    codec = Codec(FromControl, 1 << 20)
    assert codec.decode(codec.encode(first)[HEAD:]) == catalogue
    assert codec.encode(first) == codec.encode(catalogue)
    assert codec.encode(Deployed(8, revision("f"))) != codec.encode(first)
