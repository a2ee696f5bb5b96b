"""How the ends of event functions, and of what they handle, are told."""

from attacca.model.invocation import Failed, FunctionError
from attacca.worker.core.exchange import said


def stopped(why: str) -> Failed:
    return Failed("cancelled", f"it was stopped: {why}")


def traced(outcome: FunctionError | Failed) -> str:
    return (isinstance(outcome, FunctionError) and outcome.traceback) or said(outcome)


def init_failed(outcome: FunctionError | Failed) -> Failed:
    if isinstance(outcome, FunctionError):
        message = f"its init raised {outcome.type}: {outcome.message}"
        return Failed("bad_function", message, "the traceback says where", outcome.traceback)
    return outcome
