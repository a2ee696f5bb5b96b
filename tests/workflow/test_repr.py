from attacca.cli.serve.planes.around import Around
from attacca.control.uploads import Uploads
from attacca.io.store.memory import MemoryStore
from attacca.io.wire.types import Hello, Limits
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams
from attacca.policy.placement.random import Random
from attacca.worker.carrying import NoRoads
from attacca.workflow.driver import Workflows


async def cordon(node: str, is_on: bool) -> None:  # noqa: FBT001 - as it is told
    assert node, is_on


def test_what_changes_says_its_state() -> None:
    clock, chance = ManualClock(), Streams(1).stream("x")
    workflows = Workflows(
        MemoryStore(clock), clock, chance, Random(), lambda _, __: None, lambda _: None, "home", cordon, 3.0
    )
    assert repr(workflows.delegation) == "<Delegation of home, 0 listeners, 0 intents done, 0 refused>"
    assert (
        repr(workflows)
        == "<Workflows <DomainCore <Books 0 workflows, 0 of 0 up, <Nodes 0>>, <Moving 0 parts>>, 0 keys being written>"
    )
    around = Around(Hello("worker", "w"), Limits(), None, chance, lambda: "", lambda _: None)
    assert repr(around) == "<Around 0 workers>"
    assert repr(NoRoads()) == "<NoRoads>"
    assert repr(workflows.portal) == "<NoDoor>"
    assert repr(workflows.core.adopting) == "<Adopting by <Books 0 workflows, 0 of 0 up, <Nodes 0>>>"
    assert repr(workflows.core.sharing) == "<Sharing 0 shares, <Far 0 places>>"
    assert repr(Uploads(None, clock, tuple)) == "<Uploads 0 kept>"  # type: ignore[arg-type]
