"""The workers that a gateway sends to: what each was sent and has not ended, what each last said, and who is next."""

from math import inf

from attacca.model.sandbox import WorkerView
from attacca.policy.balancing.types import Asked, Balancer

ONLY = "the only worker"


class Link:
    """One worker, from its joining until it is dropped. It is a `policy.balancing.types.Worker`."""

    __slots__ = (
        "_idle", "cores", "heard_at", "is_draining", "is_local", "limit", "memory_free_mb", "name", "queued", "running",
        "view",
    )  # fmt: skip

    def __init__(self, name: str, now: float, *, is_local: bool = False) -> None:
        self.name = name
        self.is_local = is_local  # it lives and dies with this gateway
        self.queued = 0
        self.running = 0
        self.limit = 1
        self.cores = 1
        self.memory_free_mb = 0
        self.heard_at = now
        self.is_draining = False
        self.view: WorkerView | None = None
        self._idle: dict[str, int] | None = None

    def hear(self, now: float, view: WorkerView) -> None:
        self.heard_at = now
        self.limit = max(view.limit, 1)
        self.cores = max(view.cores, 1)
        self.memory_free_mb = max(view.memory_mb - view.used_mb, 0)
        self.is_draining = view.draining
        self.view = view
        self._idle = None

    def idle(self, function: str) -> int:
        if self._idle is None:  # counted when it is first asked for: few policies do
            known = () if self.view is None else self.view.functions
            self._idle = {one.function: one.idle for one in known}
        return self._idle.get(function, 0)


class Workers:
    """`only` is the one to take when there is nothing to choose: the road without a policy."""

    __slots__ = ("_balancer", "by_name", "only", "silent_at", "silent_s")

    def __init__(self, balancer: Balancer, silent_s: float) -> None:
        self.by_name: dict[str, Link] = {}
        self.only: Link | None = None
        self.silent_s = silent_s
        self.silent_at = inf  # nobody is silent for too long earlier; it may be too early, never too late
        self._balancer = balancer

    def attach(self, name: str) -> Link:
        """One that shares our process: it is never silent."""
        link = self.by_name[name] = Link(name, -inf, is_local=True)
        self.renew()
        return link

    def join(self, now: float, view: WorkerView) -> Link:
        assert view.name not in self.by_name, f"worker {view.name} is there already"
        link = self.by_name[view.name] = Link(view.name, now)
        link.hear(now, view)
        self.silent_at = min(self.silent_at, now + self.silent_s)
        self.renew()
        return link

    def hear(self, now: float, link: Link, view: WorkerView) -> None:
        was_draining = link.is_draining
        link.hear(now, view)
        if link.is_draining is not was_draining:
            self.renew()

    def drop(self, name: str) -> Link | None:
        link = self.by_name.pop(name, None)
        if link is not None:
            self.renew()
        return link

    def silent(self, now: float) -> list[Link]:
        """Those not heard of for too long, the smaller name first. They are not dropped yet."""
        found, self.silent_at = [], inf
        for link in self.by_name.values():
            if link.is_local:
                continue
            at = link.heard_at + self.silent_s
            if at <= now:
                found.append(link)
            else:
                self.silent_at = min(self.silent_at, at)
        return sorted(found, key=_name)

    def pick(self, now: float, function: str, rate: float) -> tuple[Link, str]:
        """There must be one."""
        only = self.only
        if only is not None:
            return only, ONLY
        worker, why = self._balancer.pick(now, Asked(function, rate))
        return self.by_name[worker], why

    def renew(self) -> None:
        """Who can be picked has changed. Those that drain get nothing, unless all do: their refusal says why."""
        links = list(self.by_name.values())
        links = [link for link in links if not link.is_draining] or links
        self.only = links[0] if len(links) == 1 else None
        self._balancer.among(links)


def _name(link: Link) -> str:
    return link.name
