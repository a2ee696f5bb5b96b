"""Started by the worker with a bare interpreter: what a daemon runs for it ends when the worker does, however that was.

    python -I -S minder.py PACKAGE_ROOT WORD GROUP HOME

It waits until WORD, a pipe that the worker holds the other end of, closes. Then whatever lives in the cgroup GROUP is
killed, and so are containerd's shims of the namespace of that name, which containerd tidies up after.
"""

import contextlib
import os
import signal
import sys

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.worker.runtime.container.keeper.berth import slay, sweep

MARK = b"-namespace"  # in the command of a shim, before its namespace


def shims(group: str) -> list[int]:
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            if MARK in words and words[words.index(MARK) + 1] == group.encode():
                found.append(int(name))
    return found


def main() -> None:
    _, _, word, group, home = sys.argv
    while os.read(int(word), 4096):
        pass
    slay(group)
    for pid in shims(group):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    sweep(group, home)


if __name__ == "__main__":
    main()
