"""Standard output and error, whatever they are: closed, full, read by nobody, in an encoding that lacks a sign."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from attacca.cli.screens.terminal import show_error, speaks_unicode
from attacca.errors import AttaccaError

FAILURE = 1


class Unusable(AttaccaError):
    """A file or a stream of this machine cannot be read or written."""

    code, status = "unusable", 500


def prepare() -> None:
    """One that is closed is like one that goes nowhere; a sign that cannot be shown becomes a question mark."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - for as long as the process lives
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115 - as above
    for stream in (sys.stdout, sys.stderr):
        if not speaks_unicode(stream.encoding):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]


@contextlib.contextmanager
def said_when_they_fail() -> Iterator[None]:
    """What the system refuses is no bug: it is said in a line, as every error is."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except UnicodeEncodeError as error:
        show(error)
        sys.exit(FAILURE)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else what is left over is tried, and told of, once more
        if error.errno != errno.EPIPE:  # whoever reads no further wants no more
            show(error)
        sys.exit(FAILURE)


def show(error: OSError | UnicodeEncodeError) -> None:
    with contextlib.suppress(OSError):
        show_error(refusal(error), as_json="--json" in sys.argv)


def refusal(error: OSError | UnicodeEncodeError) -> Unusable:
    if isinstance(error, UnicodeEncodeError):
        return Unusable(f"what was typed is no text in this locale: {error.reason}", "LC_ALL=C.UTF-8 attacca ...")
    if isinstance(error.filename, str):
        return Unusable(f"{error.filename}: {error.strerror}", "check its name, its mode and the free space")
    if error.errno == errno.ENOSPC:
        return Unusable(f"what it writes goes nowhere: {error.strerror}", "check the free space")
    return Unusable(str(error))
