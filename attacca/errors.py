"""Everything attacca raises on purpose. Bugs raise AssertionError instead.

Every class names its `code` (stable, for programs), its HTTP `status`, whether trying again may help, and,
through `hint`, what the reader can do. On the wire each becomes `{"error": {"code", "message", "try"}}`.
"""

from typing import ClassVar


class AttaccaError(Exception):
    """Base of every expected failure; carries what a caller needs to react."""

    code: ClassVar[str]
    status: ClassVar[int]
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


# What a request can be told before it runs.


class BadRequest(AttaccaError):
    """The request itself is malformed or asks for something that makes no sense."""

    code, status = "bad_request", 400


class Unauthorized(AttaccaError):
    """No token, or one that is not known."""

    code, status = "unauthorized", 401


class Forbidden(AttaccaError):
    """The caller is known and may not do this."""

    code, status = "forbidden", 403


class NotFound(AttaccaError):
    """No such function, revision, token or path."""

    code, status = "not_found", 404


class MethodNotAllowed(AttaccaError):
    """The path exists, the method does not."""

    code, status = "method_not_allowed", 405


class Unsupported(AttaccaError):
    """It is asked for in a way that HTTP knows and attacca does not."""

    code, status = "unsupported", 501


class Conflict(AttaccaError):
    """Someone else changed it first, or it exists already."""

    code, status, retryable = "conflict", 409, True


class KeyReused(AttaccaError):
    """Its Idempotency-Key was sent before, with another request."""

    code, status = "key_reused", 422


class PayloadTooLarge(AttaccaError):
    """The request body is over the limit."""

    code, status = "payload_too_large", 413


class HeadersTooLarge(AttaccaError):
    """The request head is over the limit."""

    code, status = "headers_too_large", 431


class RequestTimeout(AttaccaError):
    """The client took too long to send its request."""

    code, status = "request_timeout", 408


class QueueFull(AttaccaError):
    """The function's queue is at its bound; come back after `retry_after_s`."""

    code, status, retryable = "queue_full", 429, True

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class Overloaded(AttaccaError):
    """What the server holds of requests is at its bound; waiting helps."""

    code, status, retryable = "overloaded", 503, True


class Draining(AttaccaError):
    """The server is shutting down and takes nothing new."""

    code, status, retryable = "draining", 503, True


# What can become of an invocation that was taken.


class FunctionFailed(AttaccaError):
    """The user's code raised; its sandbox lives on."""

    code, status = "function_error", 500


class BadResponse(AttaccaError):
    """The function returned something that cannot be sent."""

    code, status = "bad_response", 500


class ResponseTooLarge(AttaccaError):
    """The function's answer is over the limit."""

    code, status = "response_too_large", 502


class TimedOut(AttaccaError):
    """One of the three clocks fired; the message names it and where it is set."""

    code, status = "timeout", 504


class OutOfMemory(AttaccaError):
    """The function needed more memory than its sandbox may have."""

    code, status = "out_of_memory", 500


class SandboxLost(AttaccaError):
    """The sandbox's process died under the invocation."""

    code, status = "sandbox_lost", 502


class StartFailed(AttaccaError):
    """The function could not be started: its import raised, or its sandbox could not be made."""

    code, status = "start_failed", 500


class NoCapacity(AttaccaError):
    """No worker can hold the sandbox now; waiting may help."""

    code, status, retryable = "no_capacity", 503, True


class Cancelled(AttaccaError):
    """The client went away, or the invocation was withdrawn, before it ran."""

    code, status = "cancelled", 499


# What a deployment can be told.


class BadFunction(AttaccaError):
    """The code cannot become a function: syntax error, missing module, missing handler, slow import."""

    code, status = "bad_function", 422


class BadImage(AttaccaError):
    """An image, or a part of it, is not what it says it is, or has something in it that is not taken."""

    code, status = "bad_image", 422


class RuntimeMissing(AttaccaError):
    """The function is of a kind that nothing on this server can run."""

    code, status = "runtime_missing", 501


class BuildFailed(AttaccaError):
    """The requirements could not be turned into a bundle."""

    code, status = "build_failed", 422


class TooMuchReserved(AttaccaError):
    """Its min_sandboxes, or what is ordered ahead, need memory that the worker can never give."""

    code, status = "too_much_reserved", 422


class TooManyDeployments(AttaccaError):
    """As many deployments are on their way as the server takes at once; come back after `retry_after_s`."""

    code, status, retryable = "too_many_deployments", 503, True

    def __init__(self, message: str, hint: str = "", retry_after_s: int = 5) -> None:
        super().__init__(message, hint)
        self.retry_after_s = retry_after_s


class SecretMissing(AttaccaError):
    """The function asks for a secret that is not set."""

    code, status = "secret_missing", 422


class SecretInUse(AttaccaError):
    """A function's current revision asks for this secret, so it is not deleted."""

    code, status = "secret_in_use", 409


# What stops a process from starting, or a command from working.


class BadConfig(AttaccaError):
    """A setting is unknown, or its value is not allowed; the message names it."""

    code, status = "bad_config", 400


class BadTrace(AttaccaError):
    """A trace cannot be read, or has rows that make no sense; the message names file and line."""

    code, status = "bad_trace", 422


class IsolationMissing(AttaccaError):
    """This kernel or user cannot give an isolation that was asked for."""

    code, status = "isolation_missing", 500


class StateCorrupt(AttaccaError):
    """The state on disk cannot be read; it is left as it is."""

    code, status = "state_corrupt", 500


class StateUnavailable(AttaccaError):
    """The state cannot be read or written now: the disk is full, or another process holds it."""

    code, status, retryable = "state_unavailable", 503, True


class StateUncertain(StateUnavailable):
    """The store was asked to write, and nothing is known of what came of it."""


class NotLeading(AttaccaError):
    """Of several controls another leads, or none at the moment."""

    code, status, retryable = "not_leading", 503, True

    def __init__(self, message: str, hint: str = "", url: str = "", links: str = "") -> None:
        """`url`: the leader's admin API; `links`: HOST:PORT, where planes join it."""
        super().__init__(message, hint)
        self.url, self.links = url, links


class LeaseLost(AttaccaError):
    """Whoever writes does not hold the lease any more that its writing goes by; nothing was written."""

    code, status, retryable = "lease_lost", 503, True


class Unreachable(AttaccaError):
    """No attacca server answers at the address."""

    code, status, retryable = "unreachable", 503, True


class IllegalTransition(AttaccaError):
    """An event arrived in a phase that has no row for it: a protocol bug."""

    code, status = "illegal_transition", 500


class Internal(AttaccaError):
    """A bug of attacca's own, as far as a client is told of it."""

    code, status = "internal", 500


def envelope(error: AttaccaError, **more: str) -> dict[str, dict[str, str]]:
    """The body that every error has on the wire; `more` adds fields beside code, message and try."""
    return {"error": {"code": error.code, "message": error.message, "try": error.hint, **more}}
