"""What changes in a federation says its state."""

from pathlib import Path

from attacca.cli.serve.planes.federating import OfFederation
from attacca.cli.serve.planes.joining import Renewing
from attacca.cli.serve.planes.orchestrating import OfDomain
from attacca.federation.code import Code, Shelf
from attacca.federation.driver import Federation
from attacca.federation.member import Member
from attacca.federation.portal import Portal
from attacca.io.certificates import Certificates, make_authority, make_plane
from attacca.io.store.memory import MemoryStore
from attacca.io.wire.peers import Peers
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, Dialers, Listener
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.policy.placement.random import Random
from attacca.workflow.driver import Workflows
from tests.workflow.test_repr import cordon


def test_what_changes_says_its_state(tmp_path: Path) -> None:
    clock, chance = ManualClock(), Streams(1).stream("x")
    federation = Federation(MemoryStore(clock), clock, chance, Random(), lambda _, __: None, 5.0)
    assert (
        repr(federation)
        == "<Federation <FederationCore 0 of 0 workflows up, 0 of 0 domains here>, 0 keys being written>"
    )
    workflows = Workflows(
        MemoryStore(clock), clock, chance, Random(), lambda _, __: None, lambda _: None, "home", cordon, 3.0
    )
    peers: Peers[object] = Peers()
    listener, dialers = Listener(StreamLink), Dialers(StreamLink)  # type: ignore[arg-type]  # unused

    async def listen() -> str:
        return ""

    member = Member(
        workflows, "home", lambda _: None, lambda made: Dialer(made, [("127.0.0.1", 1)]),  # type: ignore[arg-type, return-value]  # unused
        lambda send: Code(Path("state"), send), str, Portal(workflows, "home", peers, listener, dialers, listen),
    )  # fmt: skip
    assert repr(member.portal) == "<Portal : <PortalCore 0 workers, 0 portals, 0 events refused>>"
    assert repr(member) == "<Member <MemberCore home: 0 begin, 0 left, 0 copied>, 0 tasks>"
    assert repr(member.code) == "<Code 0 wanted>"
    assert repr(Shelf(Path("state"))) == "<Shelf state>"
    renewing = Renewing(Certificates(make_plane(make_authority(tmp_path, 0.0).parent, "domain", "home", tmp_path, 0.0)))
    assert repr(renewing) == f"<Renewing <Certificates {tmp_path}: read 1 times>>"
    assert (repr(OfDomain()), repr(OfFederation())) == ("<OfDomain>", "<OfFederation>")
