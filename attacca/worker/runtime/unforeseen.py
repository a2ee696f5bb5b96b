"""What a start makes of an exception that nobody foresaw: it ends, since one that nobody hears of again would hold its
memory for good."""

import logging

from attacca.errors import AttaccaError, StartFailed

LOG = logging.getLogger("attacca.worker")


def failure(error: Exception, what: str) -> AttaccaError:
    """Of `error` itself if it says what to try; logged as a bug otherwise. `what` has happened, as a sentence."""
    if isinstance(error, AttaccaError):
        return error
    LOG.error("bug: %s", what, exc_info=error)
    return StartFailed(f"{what}: {error}", "see the worker's log")
