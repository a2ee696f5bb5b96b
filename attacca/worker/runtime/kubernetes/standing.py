"""What stands for a worker in its cluster: a ConfigMap that owns all that is the worker's there.

Who begins removes what its predecessor has left: what has the same identity and the same owner, and nothing else.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from attacca.errors import StartFailed
from attacca.worker.runtime.kubernetes import reach
from attacca.worker.runtime.kubernetes.api import Declined, Server, pause_s
from attacca.worker.runtime.kubernetes.facts import Metadata
from attacca.worker.runtime.kubernetes.manifests import (
    MANAGED,
    WORKER,
    Owner,
    owner_name,
    selector,
    standing,
)
from attacca.worker.runtime.kubernetes.reach import Peers

LOG = logging.getLogger("attacca.kubernetes")
OWNED = ("pods", "secrets")
RIGHTS = "what its account may do is in deploy/kubernetes/role.yaml"
LET_IN = "see the token or the certificate that kubernetes.kubeconfig names"
WAIT = "see that the API server is up; attacca doctor says whether it can be reached"
UNAUTHORIZED, FORBIDDEN, NOT_FOUND, CONFLICT = 401, 403, 404, 409
MOST_CALLERS = 16  # addresses of one machine
Nap = Callable[[float], Awaitable[None]]


class Thing(msgspec.Struct, frozen=True):
    metadata: Metadata


class Things(msgspec.Struct, frozen=True):
    items: tuple[Thing, ...] = ()


class Standing:
    """Of the worker with that `identity`, in its `run`th start."""

    def __init__(
        self,
        server: Server,
        namespace: str,
        identity: str,
        run: str,
        callers: Callable[[str], Peers],
        nap: Nap = asyncio.sleep,
    ) -> None:
        """`callers`: who may ask its pods, of the address from which the API server is asked."""
        self._callers = callers
        self._peers: Peers = []
        self._let_in = 0  # policies for those that were not known at first
        self._telling: set[asyncio.Task[None]] = set()
        self._server, self._identity, self._run, self._nap = server, identity, run, nap
        self._core = f"/api/v1/namespaces/{namespace}"
        self.policies = f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
        self.owner: Owner | None = None
        self._why: Declined | None = None
        self._is_refused = self._is_doubted = False
        self._changed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Standing of {self._identity}, {'up' if self.owner is not None else self._why or 'not yet'}>"

    async def begin(self, *, is_first: bool = True) -> None:
        """Until it stands. What is there already goes, where it `is_first`, and what an attempt has left."""
        tries = 0
        while True:
            try:
                if is_first:
                    await self._sweep()
                self.owner = await self._make()
                self._is_doubted = False
            except Declined as error:
                if self._why is None or self._why.message != error.message:
                    LOG.warning("no pod can be made just now: %s", error.message)
                self._why = error
                self._is_refused = not error.may_mend(tries + 1)
                is_first = True
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                self._why = Declined(f"the API server answers with what is no object: {str(error)[:100]}")
            self._news()
            if self.owner is not None:
                return
            tries += 1
            await self._nap(pause_s(tries, 0.0 if self._why is None else self._why.retry_after_s))

    async def ready(self) -> Owner:
        """
        Raises:
            StartFailed: it will not stand before somebody does something about it.
        """
        while self.owner is None or self._is_doubted:
            if self._why is not None and self._is_refused:
                raise start_failed(self._why)
            await self._changed.wait()
        return self.owner

    @property
    def why(self) -> str:
        """What it waits for."""
        return "" if self.owner is not None or self._why is None else self._why.message

    def doubt(self) -> None:
        """Nobody relies on its owner before `still` has looked."""
        self._is_doubted = True

    async def still(self) -> bool:
        """Is what stands for the worker there? Where somebody has deleted it, it is to begin anew; the cluster deletes
        all that it owned."""
        try:
            return await self._look()
        finally:
            self._is_doubted = False
            self._news()

    async def _look(self) -> bool:
        owner = self.owner
        if owner is None:
            return False
        try:
            found = msgspec.json.decode(await self._server.ask("GET", self._place), type=Thing)
        except Declined as error:
            if error.status != NOT_FOUND:
                return True
        except msgspec.MsgspecError:
            return True
        else:
            if found.metadata.uid == owner.uid:
                return True
        self.owner, self._why = None, None
        return False

    async def end(self) -> None:
        """All that is the worker's goes.

        Raises:
            Declined: it is not to be reached, and its next start removes what is there.
        """
        await self._sweep()
        self.owner = None

    def place(self, kind: str) -> str:
        """Where things of that kind are: pods, secrets, configmaps."""
        return f"{self._core}/{kind}"

    async def delete(self, path: str, name: str) -> None:
        """At once; that it is not there is no fault.

        Raises:
            Declined: see `Server`.
        """
        with _absent_is_fine():
            await self._server.ask("DELETE", f"{path}/{name}", gracePeriodSeconds="0")

    @property
    def _place(self) -> str:
        return f"{self.place('configmaps')}/{owner_name(self._identity)}"

    async def _sweep(self) -> None:
        with _absent_is_fine():
            there = msgspec.json.decode(await self._server.ask("GET", self._place), type=Thing)
            labels = there.metadata.labels
            if labels.get(WORKER) != self._identity or not labels.items() >= MANAGED.items():
                message = f"there is a ConfigMap {owner_name(self._identity)} that is none of a worker's"
                raise Declined(message, CONFLICT, "Conflict")
            await self._server.ask("DELETE", self._place, propagationPolicy="Background")
        for path in (*map(self.place, OWNED), self.policies):
            raw = await self._server.ask("GET", path, labelSelector=selector(self._identity))
            for one in msgspec.json.decode(raw, type=Things).items:
                if any(of.name == owner_name(self._identity) for of in one.metadata.owner_references):
                    with _absent_is_fine():
                        await self._server.ask("DELETE", f"{path}/{one.metadata.name}", gracePeriodSeconds="0")

    async def _make(self) -> Owner:
        raw = await self._server.ask("POST", self.place("configmaps"), standing(self._identity, self._run))
        uid = msgspec.json.decode(raw, type=Thing).metadata.uid
        owner = Owner(owner_name(self._identity), uid, self._identity, self._run)
        self._peers, self._let_in = self._callers(self._server.address), 0
        for told in reach.policies(owner, self._peers):
            await self._put(told)
        return owner

    async def _put(self, policy: dict[str, Any]) -> None:
        with _absent_is_fine():  # one of another start, which cannot be owned by this
            await self._server.ask("DELETE", f"{self.policies}/{policy['metadata']['name']}")
        await self._server.ask("POST", self.policies, policy)

    def asks_from(self, address: str) -> None:
        """A pod is asked from there, which may be another address than that which the API server sees."""
        owner, new = self.owner, [peer for peer in self._callers(address) if peer not in self._peers]
        if owner is None or not new or self._let_in == MOST_CALLERS:
            return
        self._let_in += 1
        self._peers += new
        policy = reach.coming(owner, new, self._let_in)
        task = asyncio.get_running_loop().create_task(self._tell(policy))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self, policy: dict[str, Any]) -> None:
        tries = 0
        while True:
            try:
                await self._put(policy)
            except Declined as error:
                tries += 1
                if not error.may_mend(tries):
                    LOG.warning("pods may not be reached from another address of this machine: %s", error.message)
                    return
                await self._nap(pause_s(tries, error.retry_after_s))
            else:
                return

    async def quiet(self) -> None:
        """Nothing is told any more."""
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _news(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


@contextlib.contextmanager
def _absent_is_fine() -> Iterator[None]:
    try:
        yield
    except Declined as error:
        if error.status != NOT_FOUND:
            raise


def start_failed(error: Declined) -> StartFailed:
    hints = {UNAUTHORIZED: LET_IN, FORBIDDEN: RIGHTS}
    return StartFailed(error.message, hints.get(error.status, WAIT if error.may_mend(0) else ""))
