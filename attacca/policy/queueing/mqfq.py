"""Fair shares of execution time between functions, staying with one function while that costs the others little."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Annotated, Final, Literal

import msgspec

from attacca.policy.queueing.replay import Line, key, replayed
from attacca.policy.queueing.types import Next, Waiting

TINY_S: Final = 1e-9  # of one whose flow is charged nothing
SWEEP_LEAST = 64  # flows that are not worth tidying up

Pick = Literal["sticky", "first", "longest", "waited", "finish", "fewest", "stale", "longest_fewest", "random"]
Expects = Literal["all", "own", "replay"]
Weight = Annotated[float, msgspec.Meta(gt=0)]


class Mqfq(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Multi-queue fair queueing with sticky flows: MQFQ (Hedayati et al., ATC'19), as Ilúvatar's `mqfq_sticky` has it.

    Every function is a flow. An invocation starts at S = max(VT, F of its flow) and moves F to S + service / weight;
    the virtual time VT is the least start of all flows with work. A flow more than `allowed_overrun_s` ahead of VT is
    throttled. An empty flow stays active, and so can be stuck to again, for `ttl_s` after its last service.

    `pick` says which of the flows that are not throttled is next: `sticky`, the one that was served last, or else the
    one with the least S; or at once the one with the least S (`first`), the longest queue (`longest`), the most work
    waiting, which is F - S (`waited`), the largest F (`finish`), the fewest in flight (`fewest`), the one that was
    served longest ago (`stale`), the longest queue and of those the fewest in flight (`longest_fewest`), or any
    (`random`, by `seed`): Ilúvatar's `mqfq`, `mqfq_longest`, `mqfq_wait`, `mqfq_finish`, `mqfq_random`, and with
    `among` `mqfq_select_out`, `_service`, `_len_out` and `_rand`.
    `among`: only so many flows at once, which stay so while they are active, and a device holds few.

    `expects` says how long one that comes now is thought to wait, for who decides on what it runs: for all work that
    waits (`all`, Ilúvatar's V1), for its own flow's, and for that of all that are not throttled where its flow is
    throttled (`own`, V2; nothing where its flow is not active), or for what would be taken before it (`replay`, V3).

    Three things differ: V2's sum is divided by the number of slots once, not twice, and V3 replays what is picked here.
    A throttled flow does run when no other can: a flow that is blocked from outside (memory, its
    own limit) would else hold up the whole worker. And what is withdrawn is not charged to its flow.
    """

    weights: dict[str, Weight] = {}  # by function; 1 for all others
    allowed_overrun_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    ttl_s: float = 2.0  # negative: so many times the function's mean execution
    service_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # charged for every invocation; 0: its function's mean

    pick: Pick = "sticky"
    among: Annotated[int, msgspec.Meta(ge=0)] = 0  # flows that are served at the same time; 0: all
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0  # of "random"
    expects: Expects = "all"

    def fresh(self) -> "MqfqQueue":
        return MqfqQueue(self)


WHY: Final[dict[str, str]] = {
    "sticky": "furthest behind its fair share",
    "first": "furthest behind its fair share",
    "longest": "the longest queue within its fair share",
    "waited": "the most work waiting within its fair share",
    "finish": "the latest end within its fair share",
    "fewest": "the fewest running within its fair share",
    "stale": "the longest ago within its fair share",
    "random": "by chance, of those within their fair share",
    "longest_fewest": "the longest queue, and the fewest running, within its fair share",
}


class Flow:
    """One function. `start` is S of its oldest waiting invocation, or F when none waits.

    While a flow has work, F >= S >= VT: max(VT, F) is F, so tags need not be kept per invocation.
    """

    __slots__ = ("exec_s", "function", "in_flight", "items", "served_at", "start", "weight")

    def __init__(self, function: str, weight: float, start: float, now: float) -> None:
        self.function = function
        self.weight = weight
        self.start = start
        self.items: deque[tuple[int, Waiting]] = deque()  # with the running number of the push
        self.in_flight = 0
        self.served_at = now
        self.exec_s = 0.0  # the mean execution, as last heard

    def __repr__(self) -> str:
        return (
            f"<Flow {self.function}: {len(self.items)} waiting, {self.in_flight} in flight, starts at {self.start:g}>"
        )

    @property
    def rank(self) -> tuple[float, int]:
        """The place among flows with work: by start, then the earlier push."""
        return self.start, self.items[0][0]


Head = tuple[tuple[float, int], Flow]  # ranks differ, so flows are never compared


class MqfqQueue:
    is_memoryless = False  # virtual time moves with everyone who passes
    __slots__ = (
        "_chosen", "_drawn", "_flows", "_heads", "_last", "_policy", "_pushed", "_sweep_at", "_virtual_s", "_waiting",
    )  # fmt: skip

    def __init__(self, policy: Mqfq) -> None:
        self._policy = policy
        self._drawn = 0
        self._pushed = 0
        self._virtual_s = 0.0
        self._sweep_at = SWEEP_LEAST
        self._flows: dict[str, Flow] = {}
        self._heads: list[Head] = []  # flows with work, sorted
        self._last: Flow | None = None  # the flow served last
        self._chosen: dict[str, Flow] = {}  # those that are served at the same time
        self._waiting: dict[str, tuple[int, Waiting]] = {}  # by invocation

    def __repr__(self) -> str:
        return f"<MqfqQueue {len(self._waiting)} waiting, {len(self._flows)} flows, virtual time {self._virtual_s:g}>"

    def push(self, now: float, item: Waiting) -> None:
        assert item.id not in self._waiting, f"{item.id} waits already"
        self._pushed += 1
        entry = (self._pushed, item)
        self._waiting[item.id] = entry
        flow = self._flows.get(item.function)
        if flow is None:
            self._sweep(now)
            flow = self._flows[item.function] = Flow(item.function, self._weight(item.function), self._virtual_s, now)
        flow.exec_s = item.exec_s
        if flow.items:
            flow.items.append(entry)
            return
        if flow is self._last and not self._is_active(flow, now):
            self._last = None
        flow.start = max(self._virtual_s, flow.start)
        flow.items.append(entry)
        self._enlist(flow)

    def pop(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        policy, last = self._policy, self._last
        if policy.pick != "sticky" or policy.among:
            picked = self._pick(now, can_run)
            if picked is not None:
                return picked
        elif last is not None and last.items and self._is_close(last) and can_run(last.function):
            return self._take(now, last, "same function as before")
        for (start, _), flow in self._heads:
            if can_run(flow.function):
                if start - self._virtual_s > self._policy.allowed_overrun_s:
                    return self._take(now, flow, "over its share, but no other can run")
                return self._take(now, flow, "furthest behind its fair share")
        return None

    def _pick(self, now: float, can_run: Callable[[str], bool]) -> Next | None:
        """Of those that are not throttled; None: none of them can run."""
        among = self._policy.among
        if among:
            self._choose(now, among)
        heads = [flow for _, flow in self._heads if not among or flow.function in self._chosen]
        able = [flow for flow in heads if self._is_close(flow) and can_run(flow.function)]
        if not able:
            return None
        pick, last = self._policy.pick, self._last
        if pick == "sticky" and last is not None and last in able:
            return self._take(now, last, "same function as before")
        if pick == "random":
            return self._take(now, able[self._lot(len(able))], WHY[pick])
        flow = min(able, key=self._key)  # the one with the least start of equals: they are in that order
        return self._take(now, flow, WHY[pick])

    def _choose(self, now: float, among: int) -> None:
        kept = [flow for flow in self._chosen.values() if self._is_active(flow, now) and self._is_close(flow)]
        self._chosen = {flow.function: flow for flow in kept}
        for _, flow in self._heads:
            if len(self._chosen) >= among:
                break
            if self._is_close(flow):
                self._chosen.setdefault(flow.function, flow)

    def _lot(self, count: int) -> int:
        """The next of a row that follows from the seed."""
        self._drawn += 1
        said = f"{self._policy.seed}/{self._drawn}".encode()
        return int.from_bytes(blake2b(said, digest_size=8).digest()) % count

    def _key(self, flow: Flow) -> tuple[float, float]:
        """The smallest is next."""
        pick = self._policy.pick
        work_s = self._work_s(flow) if pick in ("waited", "finish") else 0.0
        return key(pick, flow.start, len(flow.items), work_s, flow.in_flight, flow.served_at)

    def wait_s(self, now: float, function: str) -> float | None:
        """Seconds of execution before one of it that comes now would be taken, if only one ran at once. None: all that
        waits."""
        expects, flow = self._policy.expects, self._flows.get(function)
        if expects == "all":
            return None
        if expects == "replay":
            return self._replayed(function, now)
        if flow is None or not self._is_active(flow, now):
            return 0.0
        if self._is_close(flow):
            return self._waiting_s(flow)
        return sum(self._waiting_s(one) for _, one in self._heads if one is flow or self._is_close(one))

    def _replayed(self, function: str, now: float) -> float:
        lines = [self._line(flow) for _, flow in self._heads]
        known = self._flows.get(function)
        if known is None or not known.items:
            start, in_flight, served_at = (self._virtual_s, 0, now) if known is None else _standing(known)
            start = max(self._virtual_s, start)
            lines.append(Line(function, start, self._weight(function), (), in_flight, served_at))
        own = next(line for line in lines if line.function == function)
        own.newcomer_s = self._charge_s(0.0 if known is None else known.exec_s) or TINY_S
        last = "" if self._last is None else self._last.function
        return replayed(lines, own, self._policy.pick, self._policy.allowed_overrun_s, last)

    def _line(self, flow: Flow) -> Line:
        services = [(number, self._service_s(item)) for number, item in flow.items]
        return Line(flow.function, flow.start, flow.weight, services, flow.in_flight, flow.served_at)

    def _weight(self, function: str) -> float:
        return self._policy.weights.get(function, 1.0)

    def _waiting_s(self, flow: Flow) -> float:
        return sum(self._service_s(item) for _, item in flow.items)

    def _work_s(self, flow: Flow) -> float:
        """F - S."""
        return self._waiting_s(flow) / flow.weight

    def remove(self, invocation: str) -> Waiting | None:
        entry = self._waiting.pop(invocation, None)
        if entry is None:
            return None
        flow = self._flows[entry[1].function]
        if flow.items[0] is entry:
            self._delist(flow)
            flow.items.popleft()
            self._enlist(flow)
        else:
            del flow.items[bisect_left(flow.items, entry[0], key=_number)]
        return entry[1]

    def ended(self, now: float, function: str, exec_s: float) -> None:
        flow = self._flows.get(function)
        if flow is not None and flow.in_flight:
            flow.in_flight -= 1
            flow.served_at = now

    def __len__(self) -> int:
        return len(self._waiting)

    def count(self, function: str) -> int:
        flow = self._flows.get(function)
        return len(flow.items) if flow is not None else 0

    def _take(self, now: float, flow: Flow, why: str) -> Next:
        self._delist(flow)
        _, item = flow.items.popleft()
        del self._waiting[item.id]
        flow.start += self._service_s(item) / flow.weight
        flow.in_flight += 1
        flow.served_at = now
        self._last = flow
        self._enlist(flow)
        return Next(item, why)

    def _service_s(self, item: Waiting) -> float:
        return self._charge_s(item.exec_s)

    def _charge_s(self, exec_s: float) -> float:
        return self._policy.service_s or exec_s or self._policy.allowed_overrun_s / 10

    def _is_close(self, flow: Flow) -> bool:
        """Not throttled."""
        return flow.start - self._virtual_s <= self._policy.allowed_overrun_s

    def _is_active(self, flow: Flow, now: float) -> bool:
        ttl_s = self._policy.ttl_s
        if ttl_s < 0:
            ttl_s = -ttl_s * flow.exec_s
        return bool(flow.items) or flow.in_flight > 0 or now - flow.served_at < ttl_s

    def _enlist(self, flow: Flow) -> None:
        """Put a flow among those with work, if it has any, and let the virtual time follow."""
        if flow.items:
            insort(self._heads, (flow.rank, flow))
        if self._heads:
            self._virtual_s = self._heads[0][0][0]

    def _delist(self, flow: Flow) -> None:
        del self._heads[bisect_left(self._heads, flow.rank, key=_rank)]

    def _sweep(self, now: float) -> None:
        """Forget the flows that a newcomer would equal, each time their number has doubled."""
        if len(self._flows) < self._sweep_at:
            return
        kept = [f for f in self._flows.values() if self._is_active(f, now) or f.start > self._virtual_s]
        self._flows = {flow.function: flow for flow in kept}
        self._sweep_at = SWEEP_LEAST + 2 * len(kept)


def _standing(flow: Flow) -> tuple[float, int, float]:
    return flow.start, flow.in_flight, flow.served_at


def _number(entry: tuple[int, Waiting]) -> int:
    return entry[0]


def _rank(head: Head) -> tuple[float, int]:
    return head[0]
