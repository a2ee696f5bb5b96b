"""How a call is, once an attempt or a callback of it has ended."""

from msgspec.structs import replace

from attacca.errors import AttaccaError, Conflict, KeyReused, NotFound, SandboxLost
from attacca.gateway.core.async_calls.verdict import reason
from attacca.model.async_call import TRIES_KEPT, AsyncCall, Kind, Posting, Record, State
from attacca.model.function import AsyncSettings
from attacca.model.invocation import Call, Failed, Outcome

WHY_MOST = 500  # characters of an error's message that are remembered
LOST = Failed(
    SandboxLost.code,
    "the gateway that had this request ended while its function ran",
    "whether it ran to its end is not known: see to that, and send it with another Idempotency-Key",
)
DELETED = Failed(NotFound.code, "its function was deleted", "deploy it again, and: attacca dead retry ID")


def tried(call: AsyncCall, outcome: Outcome, tried: Call | None) -> AsyncCall:
    """With one attempt more."""
    tries = call.tries if tried is None else (*call.tries, tried)[-TRIES_KEPT:]
    return replace(call, attempts=call.attempts + 1, tries=tries, why=reason(outcome)[:WHY_MOST])


def blamed(call: AsyncCall, outcome: Outcome) -> AsyncCall:
    """Without an attempt more, as it did not run."""
    return replace(call, why=reason(outcome)[:WHY_MOST])


def over(call: AsyncCall, state: State, settings: AsyncSettings, wall: float) -> AsyncCall:
    """`wall` in seconds since 1970."""
    keep_s = settings.keep_dead_s if state is State.DEAD else settings.keep_s
    return replace(
        call,
        state=state,
        posting=Posting.WAITING if call.callback else Posting.NONE,
        ended_at=wall,
        expires_at=wall + keep_s,
        why=call.why if state is State.DEAD else "",
    )


def is_too_old(call: AsyncCall, settings: AsyncSettings, at: float) -> bool:
    """May no attempt begin then, in seconds since 1970?"""
    return at > call.at + settings.max_age_s


def repeated(call: AsyncCall, record: Record) -> AttaccaError | None:
    """Why a call is refused whose key another has; None: it gets what that one gets."""
    first = record.call
    if first.fingerprint != call.fingerprint:
        return KeyReused(
            f"this Idempotency-Key was sent to {first.function!r} before, with another request",
            "send the same request with it, or another key with this one",
        )
    if call.kind is Kind.KEYED and record.outcome is None:
        return Conflict("the first request with this Idempotency-Key is still being served", "send it again later")
    return None


def not_cancelled(call_id: str, call: AsyncCall | None) -> AttaccaError:
    if call is None:
        return NotFound(f"no call is named {call_id[:64]!r}", "it may have expired; attacca call list shows the latest")
    return Conflict(f"call {call.id} is {call.state.value} already", f"attacca call show {call.id}")
