"""What the end of an attempt means for its call, and how long it pauses before the next."""

from enum import Enum

from attacca.kernel.chance import Chance
from attacca.model.invocation import Call, Failed, FunctionError, Ok, Outcome

PASSING = (408, 425, 429)  # answers below 500 that say: not now
HOPELESS = ("not_found", "bad_response", "response_too_large", "payload_too_large")  # another attempt ends the same way
CUT = ("draining", "cancelled")  # by us, whether it had begun or not


class Verdict(Enum):
    DONE = "done"
    AGAIN = "again"  # it ran, and failed
    LATER = "later"  # it did not run: that is no attempt
    HOPELESS = "hopeless"


def judge(outcome: Outcome, call: Call | None) -> Verdict:
    """`call`: what is remembered of the invocation; None: it was not admitted."""
    match outcome:
        case Ok(status=status):
            return Verdict.AGAIN if status >= 500 or status in PASSING else Verdict.DONE
        case FunctionError():
            return Verdict.AGAIN
        case Failed(code=code):
            if code in HOPELESS:
                return Verdict.HOPELESS
            if code in CUT:
                return Verdict.LATER
            has_run = call is not None and (call.start is not None or code == "start_failed")
            return Verdict.AGAIN if has_run else Verdict.LATER


def reason(outcome: Outcome) -> str:
    match outcome:
        case Ok(status=status):
            return f"it answered {status}"
        case FunctionError(type=kind, message=message):
            return f"{kind}: {message}"
        case Failed(message=message):
            return message


def pause_s(chance: Chance, failures: int, backoff_s: float, most_s: float) -> float:
    """Exponential, with full jitter: drawn from 0 to min(most, backoff * 2^(failures - 1)).

    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    assert failures >= 1
    return chance.random() * min(most_s, backoff_s * 2.0 ** min(failures - 1, 60))
