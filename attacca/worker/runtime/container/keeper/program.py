"""An engine's program as it is executed: from memory that nobody can write to.

What enters a container could be written to from within (CVE-2019-5736), so crun and runc make such a copy of themselves
at each start, unless they are one. This is made once, which saves crun a sixth of its work, and runc a twentieth.
"""

import contextlib
import fcntl
import os

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE  # as they look for
COPY = ("crun", "runc")
ELF = b"\x7fELF"  # a script's interpreter would not find it
PIECE = 1 << 24


def sealed(engine: str) -> str:
    """Where such a copy is for whoever is forked from here; where the engine is, if there can be none."""
    if os.path.basename(engine) not in COPY:
        return engine
    made = -1
    with contextlib.suppress(OSError), open(engine, "rb", buffering=0) as file:
        if file.read(len(ELF)) != ELF:
            return engine
        made = os.memfd_create(os.path.basename(engine), os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        at = 0
        while sent := os.sendfile(made, file.fileno(), at, PIECE):
            at += sent
        fcntl.fcntl(made, fcntl.F_ADD_SEALS, SEALS)
        return f"/proc/self/fd/{made}"
    if made >= 0:
        os.close(made)
    return engine


def environment(engine: str) -> dict[str, str]:
    """Of it. What it is written in has one thread run at a time: between two of a program that lives for some
    milliseconds there is more to hand over than to share."""
    alone = {"GOMAXPROCS": "1"} if os.path.basename(engine) == "runc" else {}
    return {**os.environ, **alone}
