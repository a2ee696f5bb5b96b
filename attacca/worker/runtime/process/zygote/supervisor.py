"""Started by the worker with a bare interpreter: prepares the zygote, outlives the worker by a moment, and tidies up.

    python -I -S supervisor.py PACKAGE_ROOT ORDERS REPORTS LIFELINE

The setting arrives as the first packet on ORDERS, as JSON. LIFELINE is a pipe whose other end only the worker holds:
when it closes, however the worker ended, the zygote is killed and the worker's cgroups are removed.
"""

import contextlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.guest import channel as wire
from attacca.worker.runtime.process.zygote import furniture, linux, rehearsal, rootfs, script, zygote
from attacca.worker.runtime.process.zygote.forkserver import last_words
from attacca.worker.runtime.process.zygote.spawn_spec import ZygoteSetting

TIDY_TRIES, TIDY_WAIT_S = 200, 0.01
LARGEST = 64 * 1024  # bytes of a setting
FIRST = 300  # counts like as many thousandths of the machine's memory


def main() -> None:
    _, package_root, orders_at, reports_at, lifeline_at = sys.argv
    sys.path.remove(package_root)
    script.be_ordinary()
    script.pose(rootfs.HERE)  # which is where most of those who are forked have their code
    script.clear_environment()
    rehearsal.rehearse_whole()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # also of descriptors on their way, for all of the user's
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    orders = socket.socket(fileno=int(orders_at))
    reports, lifeline = int(reports_at), int(lifeline_at)
    if not (raw := orders.recv(LARGEST)):
        return
    setting: ZygoteSetting = json.loads(raw)
    _furnish(setting)
    groups, seat = [_held(path) for path in setting["groups"]], _held(setting["seat"]) if setting["seat"] else None
    processes = os.open("/proc", os.O_PATH)  # the hall's own /proc will be the zygote's
    waiting, go_ahead = os.pipe()
    try:
        if setting["realm"] >= 0:
            linux.join(setting["realm"], linux.CLONE_NEWUSER)
            os.close(setting["realm"])
        if setting["isolate"] and setting["privileged"]:
            linux.unshare(linux.CLONE_NEWNS)
            rootfs.build_hall(setting)
        pid = linux.clone(linux.OWN_ALL if setting["isolate"] else 0)
        if pid == 0:
            for descriptor in (lifeline, go_ahead, processes, *(parent for parent, _ in groups), *(seat or ())[:1]):
                os.close(descriptor)
            with last_words():
                zygote.run(orders, reports, setting, waiting)
        os.close(waiting)
        if setting["isolate"] and setting["privileged"]:
            rootfs.map_child(processes, pid, setting["outer_id"], setting["outer_group"], setting["users"])
        _go_first(processes, pid)
        pidfd = os.pidfd_open(pid)
        os.write(go_ahead, b"%d" % pid)
    except OSError as error:
        wire.Channel(-1, reports).write(wire.UNFIT, 0, str(error).encode())
        return
    orders.close()
    os.close(reports)
    if _is_worker_gone(lifeline, pid, pidfd):
        if seat is not None:
            _stand_up(seat[0])
            groups.append(seat)
        _tidy(groups)


def _furnish(setting: ZygoteSetting) -> None:
    if setting["furnished"]:
        furniture.furnish()
        rehearsal.rehearse_fork()  # with the hooks of what has come


def _held(path: str) -> tuple[int, str]:
    """What a directory lies in, also where its path will mean something else, and its name there."""
    return os.open(os.path.dirname(path), os.O_PATH), os.path.basename(path)


def _stand_up(parent: int) -> None:
    """Leave the group that the worker lived in, which is to be removed."""
    with contextlib.suppress(OSError):
        members = os.open("cgroup.procs", os.O_WRONLY, dir_fd=parent)
        os.write(members, b"0")
        os.close(members)


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
            if _is_removed(parent, name):
                break
            time.sleep(TIDY_WAIT_S)


def _is_removed(parent: int, name: str) -> bool:
    """Remove a group with all that are in it; False while something lives in one."""
    try:
        inner = os.open(name, os.O_RDONLY, dir_fd=parent)
    except FileNotFoundError:
        return True
    with os.scandir(inner) as entries:
        for entry in [entry.name for entry in entries if entry.is_dir()]:
            _is_removed(inner, entry)
    os.close(inner)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
