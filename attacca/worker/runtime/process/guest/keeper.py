"""Started by the worker with a bare interpreter: prepares the zygote, outlives the worker by a moment, and tidies up.

    python -I -S keeper.py PACKAGE_ROOT CONTROL LIFELINE

The setting arrives as the first packet on CONTROL. LIFELINE is a pipe whose other end only the worker holds: when it
closes, however the worker ended, the zygote is killed and the worker's cgroups are removed.
"""

import contextlib
import os
import resource
import select
import signal
import socket
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.worker.runtime.process.guest import linux, packets, root, zygote
from attacca.worker.runtime.process.guest.breeder import last_words
from attacca.worker.runtime.process.guest.orders import Setting

TIDY_TRIES, TIDY_WAIT_S = 200, 0.01
FIRST = 300  # counts like as many thousandths of the machine's memory


def main() -> None:
    sys.path.remove(sys.argv[1])
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # also of descriptors on their way, for all of the user's
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    control, lifeline = socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3])
    message, _ = packets.receive(control)
    if message is None:
        return
    setting: Setting = message
    groups = [(os.open(os.path.dirname(path), os.O_PATH), os.path.basename(path)) for path in setting["groups"]]
    processes = os.open("/proc", os.O_PATH)  # the hall's own /proc will be the zygote's
    waiting, go_ahead = os.pipe()
    try:
        if setting["isolate"] and setting["privileged"]:
            linux.unshare(linux.CLONE_NEWNS)
            root.build_hall({"prefix": setting["prefix"], "code": setting["code"], "bundles": setting["bundles"]})
        pid, pidfd = linux.clone(linux.OWN_ALL if setting["isolate"] else 0)
        if pid == 0:
            for descriptor in (lifeline, go_ahead, processes, *(parent for parent, _ in groups)):
                os.close(descriptor)
            with last_words():
                zygote.run(control, setting, waiting)
        os.close(waiting)
        if setting["isolate"] and setting["privileged"]:
            root.map_child(processes, pid, setting["outer_id"], setting["outer_group"])
        _go_first(processes, pid)
        os.write(go_ahead, b"%d" % pid)
    except OSError as error:
        packets.send(control, {"unfit": str(error)})
        return
    control.close()
    if _is_worker_gone(lifeline, pid, pidfd):
        _tidy(groups)


def _go_first(processes: int, pid: int) -> None:
    """Where the whole machine is short of memory, whoever descends from the zygote ends before the worker does."""
    with contextlib.suppress(OSError):
        place = os.open(f"{pid}/oom_score_adj", os.O_RDWR, dir_fd=processes)
        os.write(place, b"%d" % min(int(os.read(place, 8)) + FIRST, 1000))
        os.close(place)


def _is_worker_gone(lifeline: int, pid: int, pidfd: int) -> bool:
    """Wait for the end of the worker (True) or of the zygote alone (False: the worker will start another)."""
    poller = select.poll()
    poller.register(lifeline, select.POLLIN | select.POLLHUP)
    poller.register(pidfd, select.POLLIN)
    ready = [descriptor for descriptor, _ in poller.poll()]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return lifeline in ready


def _tidy(groups: list[tuple[int, str]]) -> None:
    """Remove the cgroups once the last process has left them; a group that is still busy after two seconds stays."""
    for parent, name in groups:
        for _ in range(TIDY_TRIES):
            try:
                inner = os.open(name, os.O_RDONLY, dir_fd=parent)
            except FileNotFoundError:
                break
            with os.scandir(inner) as entries:
                for entry in [entry.name for entry in entries if entry.is_dir()]:
                    with contextlib.suppress(OSError):
                        os.rmdir(entry, dir_fd=inner)
            os.close(inner)
            try:
                os.rmdir(name, dir_fd=parent)
                break
            except OSError:
                time.sleep(TIDY_WAIT_S)


if __name__ == "__main__":
    main()
