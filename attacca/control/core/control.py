"""The control plane's machine: what is asked of it and what came of its orders goes in, orders come out.

DeployAsked -> [Examine]; Examined -> [Build]; Built -> [Send Check]; Checked -> [Put]; Stored -> [Announce, Reply].
What is durable is announced, and what is announced is acknowledged: whoever loses its way in between finds in the store
what there was before, or what there is now. A report in a phase that has no row for it is refused and changes nothing.
"""

from enum import StrEnum
from math import inf
from typing import Final

import msgspec

from attacca.control.core.changes import Changes, no_worker
from attacca.control.core.cluster.cluster import Cluster
from attacca.control.core.cordons import Cordons
from attacca.control.core.entitled import Entitled
from attacca.control.core.events import (
    OPEN,
    Announce,
    BuildFailed,
    Built,
    CatalogueAsked,
    Command,
    DeleteAsked,
    DeployAsked,
    Drain,
    Erase,
    Erased,
    Event,
    Examined,
    GatewaySaid,
    Ordered,
    Put,
    ReaderLeft,
    Reply,
    Report,
    Restored,
    RollbackAsked,
    ScaleAsked,
    SecretDeleteAsked,
    SecretSet,
    Stored,
    StoreFailed,
    Swept,
    Tick,
)
from attacca.control.core.garbage import Garbage
from attacca.control.core.gateways import Gateways
from attacca.control.core.policies import Policies
from attacca.control.core.secrets import SECRETS, in_use, unknown
from attacca.control.core.spread import Spread
from attacca.control.core.stocks import Stocks
from attacca.control.core.stored import EPOCH
from attacca.control.core.workers import Workers
from attacca.errors import AttaccaError, BadRequest, IllegalTransition
from attacca.kernel.chance import Chance
from attacca.kernel.timers import Alarm
from attacca.model.endpoints import SandboxDown, Sandboxes, SandboxUp
from attacca.model.function import Scheduling
from attacca.model.messages import (
    Checked,
    Cordon,
    Deployed,
    Evict,
    GatewayJoined,
    GatewayLeft,
    Heartbeat,
    Held,
    Known,
    Prewarm,
    Send,
    WorkerJoined,
    WorkerLeft,
)
from attacca.model.supplies import Ahead, SecretChanged, Stock

OF_CLUSTER: Final = (GatewaySaid, SandboxUp, SandboxDown, Sandboxes)

PLAIN: Final = Policies()


class Stage(StrEnum):
    CLOSED = "closed"
    OPENING = "opening"  # its epoch is being written
    OPEN = "open"
    DRAINING = "draining"


class ControlCore:
    """`silent_s`: a worker that has not been heard of for so long is not counted on. `is_ordinary_user`: sandboxes run
    as the server's own user, as they do unless that is root. `chance`: for placement."""

    def __init__(
        self,
        chance: Chance,
        policies: Policies = PLAIN,
        *,
        silent_s: float = inf,
        allow_source_builds: bool = False,
        is_ordinary_user: bool = False,
        prefetch: Ahead = Ahead.NONE,
    ) -> None:
        self.alarm = Alarm()  # when it wants the next Tick; a Tick at any other time does no harm
        self.stage = Stage.CLOSED
        self.workers = Workers(silent_s)
        self.cluster = Cluster(policies, chance)
        self.gateways = Gateways()
        self.spread = Spread(self.workers, self.gateways)
        self.garbage = Garbage()
        self.changes = Changes(
            self.workers,
            self.garbage,
            policies,
            allow_source_builds=allow_source_builds,
            is_ordinary_user=is_ordinary_user,
        )
        self.stocks, self.cordons = Stocks(prefetch, silent_s), Cordons(self.workers)
        self.entitled = Entitled(self.workers, self.changes, self.cluster)
        self.erasing: dict[str, str] = {}  # by request: a secret that is being deleted
        self._restored: Restored | None = None

    def __repr__(self) -> str:
        functions, on_their_way = len(self.changes.versions), len(self.changes.turns.by_id)
        return f"<ControlCore {self.stage}: {functions} functions, {on_their_way} changes, {self.workers!r}>"

    def handle(self, now: float, event: Event) -> list[Command]:
        """
        Raises:
            IllegalTransition: it is a report of what was not ordered; nothing has changed.
        """
        out: list[Command] = []
        if type(event) in OF_CLUSTER:  # hundreds of times as often as all else
            if self.stage is Stage.OPEN:
                self.cluster.handle(now, event, out)  # type: ignore[arg-type]
        else:
            self._rest(now, event, out)
            for command in out:
                if type(command) is Announce:
                    self.cluster.announced(now, command.message, out)
                    if type(command.message) is Deployed:
                        self.stocks.deployed(command.message.revision, self.workers.heard(), out)
        self.cluster.publisher.flush(out)
        settling = min(self.stocks.settles_at, self.spread.next_at)
        self.alarm.at = min(self.workers.silent_at, self.garbage.again_at, settling, self.cluster.timers.at)
        return out

    def _rest(self, now: float, event: Event, out: list[Command]) -> None:
        match event:
            case DeployAsked() | RollbackAsked() | ScaleAsked() | DeleteAsked():
                self.changes.ask(event, out)
            case Examined() | Built() | BuildFailed() | Checked() | Stored() | Erased() | StoreFailed():
                self._report(now, event, out)
                self.spread.hold(now, event.id, out)
            case WorkerJoined() | Heartbeat() | WorkerLeft() | CatalogueAsked() | Held() | Stock():
                self._peer(now, event, out)
            case GatewayJoined() | GatewayLeft() | Known():
                self._gateway(now, event, out)
            case SecretSet() | SecretDeleteAsked() | Ordered() | ReaderLeft():
                self._order(event, out)
            case Swept():
                self.garbage.swept(now)
                self.changes.swept(out)
            case Tick():
                self._tick(now, out)
            case GatewaySaid() | SandboxUp() | SandboxDown() | Sandboxes():
                raise AssertionError("they are handled before")
            case _:
                self._turn(event, out)
        self.changes.settle(out)
        if self.stage is Stage.OPEN and (self.garbage.is_wanted or self.garbage.is_at_work):
            self.garbage.move_on([worker.name for worker in self.workers.heard()], self.changes.catalogue, out)

    def is_at_rest(self) -> bool:
        """Nothing that was ordered is on its way."""
        return (
            not (self.changes.turns.by_id or self.erasing or self.cordons.asked)
            and not (self.garbage.is_at_work or self.spread.rounds)
            and self.stage != Stage.OPENING
        )

    def apart(self) -> list[str]:
        """Gateways and workers in processes of their own."""
        return [*self.gateways.apart(), *(one.name for one in self.workers.by_name.values() if one.address)]

    def users_of(self, secret: str) -> tuple[str, ...]:
        """The functions whose current revisions ask for it."""
        return tuple(one.function for one in self.changes.catalogue.current() if secret in one.settings.secrets)

    def held_by(self, worker: str) -> int | None:
        """The functions of whose current revisions all lies there; None: it has said nothing."""
        return self.stocks.count(worker, self.changes.catalogue.current())

    # The beginning and the end.

    def _turn(self, event: Restored | Drain, out: list[Command]) -> None:
        if isinstance(event, Restored):
            if self.stage is not Stage.CLOSED:
                raise IllegalTransition(f"Restored, and control is {self.stage}", "a core is opened once")
            self.stage, self._restored = Stage.OPENING, event
            out.append(Put(OPEN, EPOCH, str(event.epoch + 1).encode(), event.epoch_version))
            return
        self.stage = Stage.DRAINING
        self.changes.drain(event.why, out)
        self.garbage.drain()

    def _opened(self, now: float, event: Stored | StoreFailed, out: list[Command]) -> None:
        """Generations of this run are greater than those of every run before, also when nobody hears of this one."""
        restored, self._restored = self._restored, None
        assert restored is not None
        if isinstance(event, StoreFailed):
            self.stage = Stage.CLOSED
            out.append(Reply(OPEN, event.error))
            return
        changes = self.changes
        changes.restore(restored.functions, restored.secrets, restored.epoch + 1)
        changes.is_open = True
        self.cordons.names.update(dict.fromkeys(restored.cordoned))
        for worker in self.workers.by_name.values():
            self.cordons.tell(worker.name, out, is_draining=worker.is_draining)
        self.cluster.begin(now, restored.epoch + 1, out)
        self.stocks.begin(now)
        self.stage = Stage.OPEN
        self.workers.share(changes.catalogue)
        self.garbage.want()
        out += [Announce(changes.catalogue.catalogue()), Reply(OPEN)]

    def _report(self, now: float, event: Report, out: list[Command]) -> None:
        if event.id == OPEN and self.stage is Stage.OPENING and isinstance(event, Stored | StoreFailed):
            self._opened(now, event, out)
        elif event.id in self.erasing and isinstance(event, Erased | StoreFailed):
            self._secret_erased(event, out)
        elif event.id in self.cordons.asked and isinstance(event, Stored | Erased | StoreFailed):
            self.cordons.report(event, out)
        else:
            self.changes.report(event, out)

    # Peers.

    def _peer(
        self,
        now: float,
        event: WorkerJoined | Heartbeat | WorkerLeft | CatalogueAsked | Held | Stock,
        out: list[Command],
    ) -> None:
        match event:
            case WorkerJoined():
                self._lose(now, event.view.name, out)  # what an older one of its name had
                self._forget_stock(event.view.name)
                view = self.cordons.seen(event.view)
                self.cordons.tell(view.name, out, is_draining=view.draining)
                self.workers.join(now, msgspec.structs.replace(event, view=view), self.changes.catalogue)
                self._tell(view.name, out)
                self.gateways.tell(self.workers.by_name.values(), out)
                self.cluster.joined(now, view, event.machine, out)
            case Heartbeat():
                view = self.cordons.seen(event.view) if self.cordons.names else event.view
                if self.workers.hear(now, view):
                    self._tell(view.name, out)
                self.cluster.heard(now, view, out)
            case WorkerLeft():
                self._lose(now, event.worker, out)
                self._forget_stock(event.worker)
                if self.workers.by_name.pop(event.worker, None) is not None:
                    self.gateways.tell(self.workers.by_name.values(), out)
                    self.cluster.left(now, event.worker, out)
                    self.stocks.lost(self.changes.catalogue.current(), self.workers.heard(), out)
            case CatalogueAsked():
                self._tell(event.peer, out)
            case Held():
                self.garbage.hear(event)
            case Stock():
                self._stock(event, out)

    def _gateway(self, now: float, event: GatewayJoined | GatewayLeft | Known, out: list[Command]) -> None:
        match event:
            case GatewayJoined():
                self.gateways.join(event, self.workers.by_name.values(), out)
                is_open = self.stage is Stage.OPEN
                self.cluster.gateway_joined(event.name, out, is_open=is_open, is_apart=event.is_apart)
            case GatewayLeft():
                self.gateways.by_name.pop(event.name, None)
                self.spread.lose(now, event.name, out)
                self.cluster.gateway_left(now, event.name, out)
            case Known():
                self.spread.hear(now, event, out)

    def _stock(self, event: Stock, out: list[Command]) -> None:
        if event.worker in self.workers.by_name:
            self.stocks.hear(event, self.changes.catalogue.current(), self.workers.heard(), out)
            self.cluster.nearby.hear(event.worker, self.stocks.by_worker[event.worker])

    def _forget_stock(self, worker: str) -> None:
        self.stocks.lose(worker)
        self.cluster.nearby.lose(worker)

    def _tell(self, peer: str, out: list[Command]) -> None:
        if self.stage in (Stage.OPEN, Stage.DRAINING):
            out.append(Send(peer, self.changes.catalogue.catalogue()))

    def _lose(self, now: float, worker: str, out: list[Command]) -> None:
        self.changes.lose(worker, out)
        self.spread.lose(now, worker, out)
        self.garbage.lose(worker)

    def _tick(self, now: float, out: list[Command]) -> None:
        if now >= self.workers.silent_at:
            for worker in self.workers.silence(now):
                self._lose(now, worker, out)
                self.cluster.silenced(now, worker, out)
            self.stocks.lost(self.changes.catalogue.current(), self.workers.heard(), out)
        if now >= self.stocks.settles_at:
            self.stocks.settle(self.changes.catalogue.current(), self.workers.heard(), out)
        self.garbage.ring(now)
        self.spread.ring(now, out)
        if self.stage is Stage.OPEN:
            self.cluster.tick(now, out)

    # Orders, and secrets.

    def _order(self, event: SecretSet | SecretDeleteAsked | Ordered | ReaderLeft, out: list[Command]) -> None:
        match event:
            case ReaderLeft():
                self.changes.leave(event.id, out)
            case SecretSet():
                self.changes.secrets[event.name] = None
                self._renew(event.name, out)
            case SecretDeleteAsked():
                users = self.users_of(event.name)
                if event.name not in self.changes.secrets:
                    out.append(Reply(event.id, unknown(event.name)))
                elif users and not event.is_forced:
                    out.append(Reply(event.id, in_use(event.name, users)))
                else:
                    self.erasing[event.id] = event.name
                    out.append(Erase(event.id, SECRETS + event.name, None))
            case Ordered():
                try:
                    self._pass_on(event, out)
                except AttaccaError as error:
                    out.append(Reply(event.id, error))

    def _secret_erased(self, event: Erased | StoreFailed, out: list[Command]) -> None:
        name = self.erasing.pop(event.id)
        if isinstance(event, StoreFailed):
            out.append(Reply(event.id, event.error))
            return
        self.changes.secrets.pop(name, None)
        out.append(Reply(event.id, self._renew(name, out)))

    def _renew(self, secret: str, out: list[Command]) -> tuple[str, ...]:
        """What was made with the value before goes; who asks for it."""
        users, workers = self.users_of(secret), self.workers.heard()
        out += [Send(worker.name, SecretChanged(secret)) for worker in workers if worker.address]
        out += [
            Send(worker.name, Evict(function, templates=True, is_renewal=True))
            for function in users
            for worker in workers
        ]
        return users

    def _pass_on(self, event: Ordered, out: list[Command]) -> None:
        """
        Raises:
            NotFound: there is no such function, or worker.
            Conflict: see `Cordons.ask`.
            NoCapacity, TooMuchReserved: nobody can do it.
        """
        order, catalogue = event.order, self.changes.catalogue
        if isinstance(order, Cordon):
            self.cordons.ask(event.id, order, out)
            return
        revision = catalogue.get(order.function).now
        settings = revision.settings
        if isinstance(order, Prewarm) and settings.scheduling is Scheduling.CLUSTER:
            hint = f"attacca scale {order.function} --min {order.count}"
            raise BadRequest(f"control has the sandboxes of {order.function} made, and by its own policy", hint)
        if isinstance(order, Prewarm):
            worker = self.workers.place(revision, order.count, catalogue)
            if worker is None:
                raise no_worker()
            if isinstance(worker, AttaccaError):
                raise worker
            out.append(Send(worker, order))
        else:
            out += [Send(worker.name, order) for worker in self.workers.heard()]
        out.append(Reply(event.id))
