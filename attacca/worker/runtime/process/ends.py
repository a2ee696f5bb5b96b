"""The descriptors of a birth: all that it takes, or none, and never those that are left to clients and files."""

import contextlib
import errno
import os
import resource
from typing import Final, NamedTuple

from attacca.errors import NoCapacity

SPARE: Final = 64
NONE_LEFT: Final = (errno.EMFILE, errno.ENFILE)


class Ends(NamedTuple):
    """Of the two pipes that a sandbox or template is spoken with, and of the one that it prints to."""

    ours: tuple[int, int]  # a reader and a writer
    output: int  # the reader
    inner: tuple[int, int, int]  # the other ends, in the order in which who is born takes them


def ends() -> Ends | NoCapacity:
    """New ones, or that this process may have no more.

    Raises:
        OSError: the kernel gives none for another reason.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    taken: list[int] = []
    try:
        for _ in range(3):
            taken += os.pipe2(os.O_CLOEXEC)
        if max(taken) >= most - SPARE:  # numbers are given out from the lowest that is free
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    except OSError as error:
        for descriptor in taken:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if error.errno not in NONE_LEFT:
            raise
        message = f"it could not be started: its worker may have {most:,} descriptors, and they are taken"
        return NoCapacity(message, "raise its limit of open files (ulimit -n, LimitNOFILE=), or add a worker")
    reader, their_writer, their_reader, writer, output, printed = taken
    return Ends((reader, writer), output, (their_reader, their_writer, printed))
