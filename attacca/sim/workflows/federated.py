"""Several simulated domains and their federation: the same cores, on links that break, and planes that die.

It stands where a single orchestrator stands: what concerns a node goes to the orchestrator of its domain.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from attacca.errors import AttaccaError, BadConfig, StateUnavailable
from attacca.federation.core.events import (
    Command,
    DomainLeft,
    Erase,
    Event,
    MigrateAsked,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.federation.core.federation import FederationCore
from attacca.federation.core.hosted import LEFT, WORKFLOWS
from attacca.kernel.drive import Drive, raise_refused
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.load.workload.scenario import Scenario
from attacca.model.events import number, place
from attacca.model.federation import BetweenPortals, FromDomain, Left, ToDomain
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.policy.placement import PLACEMENT
from attacca.sim.engine import Engine, EngineTimer
from attacca.sim.platform.network import Channel
from attacca.sim.workflows.controls import DomainControl
from attacca.sim.workflows.member import SimulatedMember
from attacca.sim.workflows.node import SimulatedNode
from attacca.sim.workflows.orchestrator import Answered, Orchestrator
from attacca.workflow.core.books import Books
from attacca.workflow.core.graph import Part
from attacca.workflow.core.keeping import EPOCH_NUMBERS

SILENT_S: Final = 10.0  # a domain that says nothing for so long is given up
BEATS: Final = 2  # of each domain, in the time of one of a node


class Federated:
    def __init__(
        self, scenario: Scenario, engine: Engine, nodes: Mapping[str, SimulatedNode], answered: Answered
    ) -> None:
        """
        Raises:
            BadConfig: no such placement policy, or somebody is to orchestrate from outside.
        """
        if scenario.system.outside not in ("", "nobody", "restless"):
            raise BadConfig("a program orchestrates one domain", "leave system.domains or system.outside out")
        self._scenario, self._engine, self._nodes, self._answered = scenario, engine, nodes, answered
        count = scenario.system.domains
        self.members: dict[str, SimulatedMember] = {}
        for at in range(count):
            name = f"d{at}"
            own = {one.name: one for one in list(nodes.values())[at::count]}
            orchestrator = Orchestrator(scenario, engine, own, answered, name)
            self.members[name] = SimulatedMember(name, orchestrator, self._said, self._across)
        self.fenced: Mapping[str, set[str]] = {}  # among domains that is the portals' affair
        self._of = {node: one for one in self.members.values() for node in one.orchestrator.nodes}
        choice = scenario.system.placement
        self._placement = build(PLACEMENT, choice.policy, choice.options, "attacca.policy.placement")
        self.store: dict[str, bytes] = {}
        self.is_store_down = 0  # so many faults say so
        self._chance = Streams(scenario.seed).stream("federation/moves")
        self._timer = EngineTimer(engine)
        self._ways: dict[tuple[str, str], Channel] = {}
        self._links: dict[str, int] = {}  # of domains to the federation
        self._portals: dict[tuple[str, str], int] = {}  # links between domains
        self._cut: dict[str, int] = {}  # domains whose portals reach no other
        self.starts = self._count = self._asked = 0
        self.is_federation_up = False
        self._missed: list[Event] = []
        self.stale: dict[tuple[str, str], None] = {}  # domain and place: it was given up there
        self.has_given_up = False
        self._begin()

    def __repr__(self) -> str:
        state = "up" if self.is_federation_up else "down"
        return f"<Federated {state}: {len(self.members)} domains, {len(self._portals)} links of portals>"

    # As an orchestrator.

    def join(self, node: SimulatedNode) -> None:
        self._of[node.name].orchestrator.join(node)

    def lose(self, name: str) -> None:
        self._of[name].orchestrator.lose(name)

    def cut(self, name: str, ways: tuple[str, ...]) -> None:
        self._of[name].orchestrator.cut(name, ways)

    def mend(self, name: str, ways: tuple[str, ...]) -> None:
        self._of[name].orchestrator.mend(name, ways)

    def say(self, node: SimulatedNode, message: object) -> None:
        self._of[node.name].orchestrator.say(node, message)

    @property
    def books(self) -> list[Books]:
        return [one.orchestrator.core.books for one in self.members.values()]

    def has(self, name: str) -> bool:
        """Is there a link to that node?"""
        return self._of[name].orchestrator.has(name)

    def is_replaced(self, instance: str) -> bool:
        return any(one.orchestrator.is_replaced(instance) for one in self.members.values())

    @property
    def given_up(self) -> dict[str, str]:
        return {name: node for one in self.members.values() for name, node in one.orchestrator.given_up.items()}

    @property
    def is_whole(self) -> bool:
        count = len(self.members)
        links = len(self._links) == count and len(self._portals) == count * (count - 1) // 2
        return self.is_federation_up and links and all(one.orchestrator.is_whole for one in self.members.values())

    def unsettled(self) -> str:
        """Of what the federation has, and its domains keep."""
        late = [one for one in self.core.workflows.values() if one.stage not in ("up", "parked")]
        if late:
            return f"{late[0]!r} is on its way"
        return next(filter(None, (one.orchestrator.unsettled() for one in self.members.values())), "")

    def is_stale(self, node: str, instance: str) -> bool:
        """Its domain was given up, and what was there has begun elsewhere since."""
        if (self._of[node].name, place(instance)) not in self.stale:
            return False
        root, _, label = place(instance).partition(".")
        share = self.core.workflows.get(f"{root}~{label.partition('~')[0]}") or self.core.workflows.get(root)
        return share is None or number(instance) < share.epoch * EPOCH_NUMBERS

    def beat(self) -> None:
        for member in self.members.values():
            member.orchestrator.beat()
            if not member.orchestrator.is_up or not self.is_federation_up:
                continue
            if member.name in self._links:
                member.beat()
            else:
                self._join(member)
        for one in self.members:
            for other in self.members:
                if one < other:
                    self._dial(one, other)

    # What is asked for.

    def start(self, place_: int, spec: WorkflowSpec) -> None:
        self._ask(StartAsked(str(place_), spec, self._engine.now))

    def stop(self, place_: int, workflow: str) -> None:
        self._ask(StopAsked(f"-{place_}", workflow))

    def stir(self) -> None:
        """Somebody moves a component, or the rest of a workflow, to a domain."""
        roots = [one for one in self.core.workflows.values() if not one.component]
        if not self.is_federation_up or not roots:
            return
        root = self._chance.choice(roots)
        names = ["", *(one.name for one in root.spec.components)]
        self._asked += 1
        to = self._chance.choice(list(self.members))
        if to in self.core.domains:
            self._feed(MigrateAsked(f"-m{self._asked}", root.id, (to,), self._chance.choice(names)))

    def _ask(self, event: Event) -> None:
        if self.is_federation_up:
            self._feed(event)
        else:
            self._missed.append(event)

    # The federation.

    def _begin(self) -> None:
        chance = Streams(self._scenario.seed).stream(f"federation/{self.starts}")
        self.core = FederationCore(self._placement, chance, SILENT_S)
        self.drive: Drive[Event, Command] = Drive(
            self.core.handle, self.core.alarm, self._perform, self._now, self._timer, Tick(), raise_refused
        )
        self.is_federation_up = True
        self.starts += 1

    def crash_federation(self) -> None:
        self.is_federation_up = False
        self._links.clear()
        self.drive.stop()

    def restart_federation(self) -> None:
        self._begin()
        records = [msgspec.json.decode(v, type=Record) for k, v in self.store.items() if k.startswith(WORKFLOWS)]
        left = [
            (key.removeprefix(LEFT).partition("/")[0], msgspec.json.decode(value, type=Left))
            for key, value in self.store.items()
            if key.startswith(LEFT)
        ]
        self._feed(Restored(tuple(records), tuple(left)))
        for member in self.members.values():
            self._join(member)
        missed, self._missed = self._missed, []
        for event in missed:
            self._ask(event)

    def _now(self) -> float:
        return self._engine.now

    def _feed(self, event: Event) -> None:
        self.drive.feed(event)

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Put() | Erase():
                    self._way("federation", "store").send((self.starts, command), self._number())
                case Reply():
                    self._reply(command.id, command.outcome)
                case _:
                    link = self._links.get(command.peer)
                    told = (link, command.peer, command.message)
                    self._way("federation", command.peer).send(told, self._number())
        self._look_for_stale()

    def _reply(self, id_: str, outcome: WorkflowView | AttaccaError | None) -> None:
        self._answered(id_, outcome)

    def _look_for_stale(self) -> None:
        for domain in self.core.domains.values():
            if domain.is_dead and (domain.name, "") not in self.stale:
                self.has_given_up = True
                self.stale[domain.name, ""] = None
                books = self.members[domain.name].orchestrator.core.books
                self.stale.update(((domain.name, part.place), None) for part in books.all())
            elif not domain.is_dead:
                self.stale.pop((domain.name, ""), None)

    def _kept(self, told: tuple[int, Put | Erase]) -> None:
        starts, command = told
        is_heard = self.is_federation_up and starts == self.starts
        if self.is_store_down:
            if is_heard:
                error = StateUnavailable("the store is gone", "")
                self._feed(StoreFailed(command.key, error, isinstance(command, Erase)))
        elif isinstance(command, Erase):
            self.store.pop(command.key, None)
        else:
            self.store[command.key] = command.value
            if is_heard:
                self._feed(Stored(command.key))

    # Links.

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _way(self, one: str, other: str) -> Channel:
        way = self._ways.get((one, other))
        if way is None:
            hardware = self._scenario.hardware
            deliver: Callable[[Any], None]
            if other == "store":
                network, deliver = hardware.store, self._kept
            elif other == "federation":
                network, deliver = hardware.control, self._heard
            elif one == "federation":
                network, deliver = hardware.control, self._told
            else:
                network, deliver = hardware.network, partial(self._arrived, one, other)
            hardware = replace(hardware, network=network, network_loss=0.0)
            way = self._ways[one, other] = Channel(
                self._engine, hardware, self._scenario.seed, f"federation/{one}/{other}", deliver
            )
        return way

    def _join(self, member: SimulatedMember) -> None:
        if self.is_federation_up and member.orchestrator.is_up and member.name not in self._links:
            self._links[member.name] = self._number()
            member.join()

    def _said(self, domain: str, message: FromDomain) -> None:
        link = self._links.get(domain)
        if link is not None:
            self._way(domain, "federation").send((link, domain, message), self._number())

    def _heard(self, said: tuple[int, str, FromDomain]) -> None:
        link, domain, message = said
        if self.is_federation_up and self._links.get(domain) == link:
            self._feed(message)

    def _told(self, told: tuple[int | None, str, ToDomain]) -> None:
        link, domain, message = told
        member = self.members[domain]
        if link is not None and self._links.get(domain) == link and member.orchestrator.is_up:
            member.hear(message)

    # Portals.

    def _dial(self, one: str, other: str) -> None:
        are_up = all(self.members[name].orchestrator.is_up for name in (one, other))
        if (one, other) in self._portals or not are_up or one in self._cut or other in self._cut:
            return
        self._portals[one, other] = self._number()
        for here, there in ((one, other), (other, one)):
            self.members[here].peer_came(there)

    def _across(self, one: str, other: str, message: BetweenPortals) -> None:
        """Never in the same moment: each side has its end of a link before it hears the other."""
        link, way = self._portals.get(_pair(one, other)), self._way(one, other)
        if link is None:
            return
        if way.is_quick:
            self._engine.at(self._engine.now, partial(self._arrived, one, other), (link, message))
        else:
            way.send((link, message), self._number())

    def _arrived(self, one: str, other: str, said: tuple[int, BetweenPortals]) -> None:
        link, message = said
        if self._portals.get(_pair(one, other)) == link:
            self.members[other].hear_portal(one, message)

    def cut_portals(self, domain: str) -> None:
        """Its portal reaches no other. What was under way is lost."""
        self._cut[domain] = self._cut.get(domain, 0) + 1
        self._break(domain)

    def mend_portals(self, domain: str) -> None:
        self._cut[domain] -= 1
        if not self._cut[domain]:
            del self._cut[domain]

    def _break(self, domain: str) -> None:
        for pair in [pair for pair in self._portals if domain in pair]:
            del self._portals[pair]
            for here, there in (pair, pair[::-1]):
                if self.members[here].orchestrator.is_up:
                    self.members[here].peer_lost(there)

    # What goes wrong with a domain.

    def crash(self, domain: str) -> None:
        """Its control."""
        member = self.members[domain]
        member.orchestrator.crash()
        self._break(domain)
        if self._links.pop(domain, None) is not None and self.is_federation_up:
            self._feed(DomainLeft(domain))

    def restart(self, domain: str) -> None:
        member = self.members[domain]
        member.orchestrator.restart(member.begin)
        self._join(member)

    def control(self, share: float) -> DomainControl:
        """The one that a fault befalls."""
        return self._control(int(share * len(self.members)))

    def _control(self, place_: int) -> DomainControl:
        return DomainControl(list(self.members.values())[place_], self.crash, self.restart)

    def keeper(self, share: float) -> "DomainControl | Federated":
        """Whose store a fault befalls."""
        place_ = int(share * (len(self.members) + 1))
        return self if place_ == len(self.members) else self._control(place_)

    def slow_store(self, seconds: float) -> None:
        disk = self._way("federation", "store")
        disk.late_next_s += seconds
        disk.look()

    def parts(self) -> list[Part]:
        return [part for books in self.books for part in books.all()]


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
