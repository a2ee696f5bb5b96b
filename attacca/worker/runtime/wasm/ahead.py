"""Hosts that have a module already, for the next instance of it: one for each that has run here lately."""

from collections import OrderedDict
from functools import partial
from typing import NamedTuple

from attacca.model.events import Delivery, EventKind
from attacca.model.function import Revision
from attacca.model.invocation import Ok
from attacca.worker.core.events import Deliver
from attacca.worker.core.reports import Report, RunEnded, SandboxFailed, SandboxGone
from attacca.worker.runtime.wasm.envelope import PREPARE, enveloped
from attacca.worker.runtime.wasm.hosts import Hosts

MOST = 8
NAME = "prepare"  # of the delivery


class Key(NamedTuple):
    """What a host was prepared for, by all that it depends on."""

    module: str
    memory_mb: int
    cpus: float | None
    timeout_s: float


def key(revision: Revision) -> Key:
    (module,), settings = revision.artefact.digests, revision.settings
    return Key(module, settings.memory_mb, settings.cpus, settings.timeout_s)


class Ahead:
    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._ready: OrderedDict[Key, str] = OrderedDict()  # the host
        self._preparing: dict[str, Key] = {}  # by host; or by key alone, until it has one
        self._wanted: set[Key] = set()

    def __repr__(self) -> str:
        return f"<Ahead {len(self._ready)} ready, {len(self._wanted)} wanted>"

    def take(self, of: Key) -> str:
        """The host; empty: there is none."""
        return self._ready.pop(of, "")

    def want(self, revision: Revision, module: bytes) -> None:
        of = key(revision)
        if of not in self._ready and of not in self._wanted:
            self._wanted.add(of)
            self._hosts.take(partial(self._taken, of, revision, module))

    def _taken(self, of: Key, revision: Revision, module: bytes, host: str, why: SandboxFailed | None) -> None:
        if why is not None:
            self._wanted.discard(of)
            return
        self._preparing[host] = of
        try:
            self._hosts.processes.limit(host, revision)
        except OSError:
            self._hosts.processes.kill(host)
            return
        delivery = Delivery(NAME, EventKind.INIT, "\n", enveloped(PREPARE, revision.settings, None, module))
        self._hosts.processes.tell(host, Deliver(host, delivery))

    def heard(self, report: Report) -> bool:
        """Whether it was about one of these."""
        host = getattr(report, "sandbox", "")
        of = self._preparing.get(host)
        if of is None:
            return isinstance(report, SandboxGone) and self._gone(host)
        if isinstance(report, RunEnded):
            del self._preparing[host]
            self._wanted.discard(of)
            self._prepared(of, host, is_well=isinstance(report.outcome, Ok))
        elif isinstance(report, SandboxGone):
            del self._preparing[host]
            self._wanted.discard(of)
        return True

    def _prepared(self, of: Key, host: str, *, is_well: bool) -> None:
        if not is_well:
            self._hosts.processes.kill(host)  # a start from nothing will say why
            return
        self._ready[of] = host
        if len(self._ready) > MOST:
            self._hosts.processes.kill(self._ready.popitem(last=False)[1])

    def _gone(self, host: str) -> bool:
        of = next((one for one, name in self._ready.items() if name == host), None)
        if of is not None:
            del self._ready[of]
        return of is not None
