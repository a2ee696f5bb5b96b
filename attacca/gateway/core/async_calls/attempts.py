"""Attempts at calls and their callbacks: who begins, what an end comes to, and when the next is made."""

from math import inf

import msgspec

from attacca.gateway.core.async_calls import endings
from attacca.gateway.core.async_calls.events import Answered, Command, Commit, Post, Posted, Settled, Tried, Try
from attacca.gateway.core.async_calls.pending import DELAYING, POSTING, RUNNING, UNWRITTEN, WRITING, Books, Pending
from attacca.gateway.core.async_calls.verdict import Verdict, judge, pause_s
from attacca.gateway.core.catalogue import Functions
from attacca.kernel.chance import Chance
from attacca.model.async_call import AsyncCall, Delete, Gone, Kind, Posting, Result, State, Unwritten, Update, Write
from attacca.model.function import AsyncSettings
from attacca.model.invocation import Outcome

USUAL = AsyncSettings()
REWRITE_S = 1.0  # until the journal is asked again to write what it could not
POST_S, POST_MOST_S = 1.0, 300.0  # the pauses between tries of a callback


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Of one gateway: `calls` that are not over, and `bytes` of their requests; `posts`: tries of one callback."""

    calls: int = 100_000
    bytes: int = 1 << 30
    posts: int = 8
    lease_s: float = 3.0  # who does not keep its calls for so long loses them to others
    sweep_s: float = 30.0


class Surroundings:
    """What the parts of the machine have in common."""

    def __init__(self, functions: Functions, chance: Chance, limits: Limits) -> None:
        self.functions = functions
        self.chance = chance
        self.limits = limits
        self.ahead: float | None = None  # how far the time of day is ahead of `now`; None: nobody has said
        self.is_draining = False

    def __repr__(self) -> str:
        return f"<Surroundings {'draining' if self.is_draining else 'open'}, the time of day {self.ahead} s ahead>"

    def of(self, name: str) -> AsyncSettings:
        function = self.functions.by_name.get(name)
        return USUAL if function is None else function.settings.async_

    def wall(self, at: float) -> float:
        """Seconds since 1970."""
        return at + (self.ahead or 0.0)


class Attempts:
    def __init__(self, books: Books, here: Surroundings) -> None:
        self._books = books
        self._here = here

    def __repr__(self) -> str:
        return f"<Attempts of {self._books!r}>"

    def commit(self, pending: Pending, write: Write, out: list[Command]) -> None:
        pending.phase, pending.write = WRITING, write
        out.append(Commit(write))

    def rewrite_later(self, now: float, pending: Pending, write: Write) -> None:
        pending.phase, pending.write = UNWRITTEN, write
        self._books.ring(pending, now + REWRITE_S)

    # Attempts.

    def ready(self, pending: Pending, out: list[Command]) -> None:
        """It is due."""
        self._books.line_up(pending)
        self.turn(pending.call.function, out)

    def begin(self, pending: Pending, out: list[Command]) -> None:
        self._books.begin(pending)
        out.append(Try(pending.call, f"{pending.call.id}.{pending.trying}"))

    def turn(self, function: str, out: list[Command]) -> None:
        """One fewer runs, perhaps."""
        while (
            not self._here.is_draining
            and (first := self._books.next(function, self._here.of(function).at_once)) is not None
        ):
            self.begin(first, out)

    def tried(self, now: float, event: Tried, out: list[Command]) -> None:
        pending = self._books.pending.get(event.id)
        if pending is None or pending.phase is not RUNNING:
            return  # it was cancelled
        self._books.end(pending)
        verdict = judge(event.outcome, event.call)
        if pending.call.kind is Kind.KEYED:
            self._answer(now, pending, event, verdict, out)
        elif verdict is Verdict.LATER:
            self._postpone(now, pending, event.outcome, out)
        else:
            self._conclude(now, pending, event, verdict, out)
        self.turn(pending.call.function, out)

    def _answer(self, now: float, pending: Pending, event: Tried, verdict: Verdict, out: list[Command]) -> None:
        """What did not run may be asked for again, with the same key."""
        if verdict is Verdict.LATER:
            pending.outcome = event.outcome
            self.commit(pending, Delete(pending.call.id, open=True), out)
        else:
            call = endings.tried(pending.call, event.outcome, event.call)
            self.finish(now, pending, call, State.DONE, event.outcome, out)

    def _postpone(self, now: float, pending: Pending, outcome: Outcome, out: list[Command]) -> None:
        if self._here.is_draining:
            self._books.pause(pending, inf)
            return
        settings = self._here.of(pending.call.function)
        pending.refusals += 1
        at = now + pause_s(self._here.chance, pending.refusals, settings.backoff_s, settings.backoff_most_s)
        if endings.is_too_old(pending.call, settings, self._here.wall(at)):
            call = endings.blamed(pending.call, outcome)
            self.finish(now, pending, call, State.DEAD, outcome, out)
        else:
            self._books.pause(pending, at)

    def _conclude(self, now: float, pending: Pending, event: Tried, verdict: Verdict, out: list[Command]) -> None:
        settings = self._here.of(pending.call.function)
        call = endings.tried(pending.call, event.outcome, event.call)
        pending.refusals = 0
        self._books.failures[call.function] += verdict is not Verdict.DONE
        if verdict is Verdict.DONE:
            self.finish(now, pending, call, State.DONE, event.outcome, out)
            return
        at = now + pause_s(self._here.chance, call.attempts, settings.backoff_s, settings.backoff_most_s)
        is_last = call.attempts > settings.retries or endings.is_too_old(call, settings, self._here.wall(at))
        if verdict is Verdict.HOPELESS or is_last:
            self.finish(now, pending, call, State.DEAD, event.outcome, out)
        else:
            pending.rings_at = at
            pending.call = msgspec.structs.replace(call, due=self._here.wall(at))
            self.commit(pending, Update(pending.call), out)

    def finish(
        self, now: float, pending: Pending, call: AsyncCall, state: State, outcome: Outcome, out: list[Command]
    ) -> None:
        pending.outcome = outcome
        pending.call = endings.over(call, state, self._here.of(call.function), self._here.wall(now))
        self.commit(pending, Update(pending.call, outcome), out)

    def updated(self, now: float, pending: Pending, result: Result, out: list[Command]) -> None:
        call, write = pending.call, pending.write
        assert write is not None
        if isinstance(result, Unwritten):
            self._answer_client(pending, out)
            self.rewrite_later(now, pending, write)
            return
        if isinstance(result, Gone) or not call.is_open:
            self.close(pending, out)
        elif call.state is State.WAITING:
            pending.write = None
            self._books.pause(pending, pending.rings_at)
        else:
            pending.write = pending.outcome = None
            out.append(Settled(call.id))
            self.post(pending, out)

    def deleted(self, now: float, pending: Pending, result: Result, out: list[Command]) -> None:
        self._answer_client(pending, out)
        if isinstance(result, Unwritten):
            assert pending.write is not None
            self.rewrite_later(now, pending, pending.write)
        else:
            self.close(pending, out)

    def close(self, pending: Pending, out: list[Command]) -> None:
        if pending.takes_turns and pending.call.ended_at:
            self._books.ended[pending.call.function, pending.call.state] += 1
        self._answer_client(pending, out)
        self._books.drop(pending)
        out.append(Settled(pending.call.id))

    def _answer_client(self, pending: Pending, out: list[Command]) -> None:
        client, pending.client = pending.client, None
        if client is not None and pending.outcome is not None:
            out.append(Answered(client, pending.call, pending.outcome))

    # Callbacks.

    def post(self, pending: Pending, out: list[Command]) -> None:
        if self._here.is_draining:
            self._books.pause(pending, inf)
            return
        pending.phase = POSTING
        out.append(Post(pending.call))

    def posted(self, now: float, event: Posted, out: list[Command]) -> None:
        pending = self._books.pending.get(event.id)
        if pending is None or pending.phase is not POSTING:
            return
        pending.posts += 1
        if event.why and not event.is_final and pending.posts < self._here.limits.posts:
            pending.phase = DELAYING
            self._books.ring(pending, now + pause_s(self._here.chance, pending.posts, POST_S, POST_MOST_S))
            return
        posting = Posting.FAILED if event.why else Posting.DONE
        why = f"its callback failed: {event.why}"[: endings.WHY_MOST] if event.why else pending.call.why
        pending.call = msgspec.structs.replace(pending.call, posting=posting, why=why)
        self.commit(pending, Update(pending.call), out)
