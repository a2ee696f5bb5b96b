"""Started by the worker with a bare interpreter: has containers made by an engine, and tells of their ends.

    python -I -S main.py PACKAGE_ROOT ORDERS

It is the first process of a process namespace of its own, so whatever ends it ends every container: the kernel sees to
that. It ends with its worker, whose last end of ORDERS closes however that ended. In its mount namespace the engine
finds no unified hierarchy beside those of version 1, which crun would refuse, and all that is written for a container
lies on a tmpfs that nobody else sees.

    {"start": NAME, "spec": TEXT, "lower": PATH, "files": {}} with output and network ──▶ started | failed ──▶ ended
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from attacca.worker.runtime.container.keeper import gvisor
from attacca.worker.runtime.container.keeper.berth import Berth, sweep
from attacca.worker.runtime.container.keeper.program import environment, sealed
from attacca.worker.runtime.process.zygote import linux

LARGEST = 160 * 1024  # bytes of an order
FDS_MOST = 2
FIRST = 1  # what the keeper is in its process namespace
ENDING = 4  # PF_EXITING
AGAIN_S = 0.005  # after which a cgroup is tried once more that was still busy
QUIET = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDWR, 0)  # its output may go there, too
NETWORK = "@network@"  # in a spec: where the network namespace is that came with the order


class Kept:
    """One container: its engine at first, then its own first process."""

    def __init__(self, name: str, berth: Berth, network: int) -> None:
        self.name, self.berth, self.network = name, berth, network
        self.engine = 0
        self.pid = 0
        self.waits = self.is_doomed = False  # waits: its program is to begin later

    def __repr__(self) -> str:
        return f"<Kept {self.name}: engine {self.engine}, process {self.pid}>"


class Keeper:
    def __init__(self, orders: socket.socket, setting: dict[str, str]) -> None:
        self._orders, self._engine = orders, setting["engine"]
        self._program, self._environment = sealed(self._engine), environment(self._engine)
        self._home, self._group = setting["home"], setting["group"]
        self._by_name: dict[str, Kept] = {}
        self._by_pid: dict[int, Kept] = {}  # engines, and first processes
        self._early: dict[int, int] = {}  # how those ended of whom we had not heard yet
        self._leftovers: list[Berth] = []
        self._looks: dict[str, int] = {}  # how often is still looked whether that one ends
        self._count = 0

    def __repr__(self) -> str:
        return f"<Keeper {len(self._by_name)} containers, {len(self._leftovers)} to be removed>"

    def run(self) -> None:
        heard, told = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        chosen = selectors.DefaultSelector()
        chosen.register(self._orders, selectors.EVENT_READ)
        chosen.register(heard, selectors.EVENT_READ)
        while True:
            ready = {key.fd for key, _ in chosen.select(AGAIN_S if self._leftovers or self._looks else None)}
            if not ready:
                self._look_again()
            if heard in ready:
                os.read(heard, 4096)
            self._bury()
            if self._orders.fileno() in ready and not self._obey():
                return
            self._leftovers = [berth for berth in self._leftovers if not berth.is_removed()]

    def close(self) -> None:
        """Whatever there is ends. What is left of it the worker removes, or the next one."""
        for kept in self._by_name.values():
            self._kill(kept)
        while self._by_pid:
            pid, status = os.waitpid(-1, 0)
            self._ended(pid, status)
        for berth in self._leftovers:
            berth.is_removed()

    # orders

    def _obey(self) -> bool:
        try:
            raw, descriptors, _, _ = socket.recv_fds(self._orders, LARGEST, FDS_MOST, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:  # it left without having read all that it was told
            return False
        if not raw:
            return False
        order: dict[str, Any] = json.loads(raw)
        if "start" in order:
            self._start(order, descriptors)
            return True
        if (kept := self._by_name.get(order["name"])) is not None:
            self._do(order["do"], kept)
        return True

    def _do(self, what: str, kept: Kept) -> None:
        match what:
            case "go":
                self._go(kept)
            case "kill":
                self._kill(kept)
            case "look" if gvisor.is_it(self._engine):
                self._looks[kept.name] = gvisor.LOOKS
            case "look":
                if not is_ending(kept.pid):
                    self._tell({"alive": kept.name})
            case "root":
                self._open_root(kept)
            case _:
                kept.berth.freeze(is_frozen=what == "pause")

    def _start(self, order: dict[str, Any], descriptors: list[int]) -> None:
        name, output = order["start"], descriptors[0]
        network = descriptors[1] if len(descriptors) > 1 else -1
        self._count += 1
        berth = Berth(f"{self._home}/{self._count}", f"/{self._group}/{self._count}", f"{self._home}/engine/{name}")
        kept = self._by_name[name] = Kept(name, berth, network)
        try:
            spec = order["spec"].replace(NETWORK, f"/proc/{FIRST}/fd/{network}")
            berth.make(spec.replace("@group@", berth.group), order["lower"], order["files"])
            kept.waits = order["waits"]
            verb = ["create"] if kept.waits else ["run", "--detach"]
            command = self._command(*verb, "--bundle", berth.bundle, "--pid-file", berth.pid_file, name)
            actions = [QUIET, *((os.POSIX_SPAWN_DUP2, output, number) for number in (1, 2))]
            if gvisor.is_it(self._engine):
                kept.engine = self._begun(command, output, berth.enter(json.loads(spec)["linux"]["resources"]))
            else:
                kept.engine = os.posix_spawn(self._program, command, self._environment, file_actions=actions)
            self._by_pid[kept.engine] = kept
        except OSError as error:
            self._over(kept, {"failed": name, "why": str(error)})
        finally:
            os.close(output)

    def _command(self, *words: str) -> list[str]:
        return [self._engine, "--root", f"{self._home}/engine", *gvisor.options(self._engine), *words]

    def _go(self, kept: Kept) -> None:
        """Its program begins: of one that is dying its end is told, and of one that cannot it is made."""
        actions = [QUIET, *((os.POSIX_SPAWN_DUP2, 0, number) for number in (1, 2))]
        command = self._command("start", kept.name)
        try:
            kept.engine = os.posix_spawn(self._program, command, self._environment, file_actions=actions)
            self._by_pid[kept.engine] = kept
        except OSError:
            self._kill(kept)

    @staticmethod
    def _begun(command: list[str], output: int, members: list[str]) -> int:
        """Within the groups that have these files of members."""
        pid = os.fork()
        if pid == 0:
            gvisor.begin(command, output, members)
        return pid

    def _open_root(self, kept: Kept) -> None:
        """As it sees it, with what is mounted there."""
        try:
            opened = os.open(f"/proc/{kept.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            self._tell({"root": kept.name})
            return
        with contextlib.suppress(OSError):  # the worker is gone, and so will we be
            socket.send_fds(self._orders, [json.dumps({"root": kept.name}).encode()], [opened])
        os.close(opened)

    @staticmethod
    def _kill(kept: Kept) -> None:
        kept.is_doomed = True
        if kept.pid:
            kept.berth.freeze(is_frozen=False)  # what is frozen does not die, in version 1
            os.kill(kept.pid, signal.SIGKILL)  # it is ours to bury, so the number is nobody else's

    # ends

    def _bury(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._ended(pid, status)

    def _ended(self, pid: int, status: int) -> None:
        kept = self._by_pid.pop(pid, None)
        if kept is None:
            if any(one.engine for one in self._by_name.values()):
                self._early[pid] = status
        elif pid == kept.engine:
            self._made(kept, status)
        else:
            self._over(kept, {"ended": kept.name, "status": status, "oom": kept.berth.has_run_out()})

    def _made(self, kept: Kept, status: int) -> None:
        kept.engine = 0
        if kept.pid:
            self._begun_or_not(kept, status)
            return
        early = self._early.pop(kept.berth.pid(), None)
        if not any(one.engine for one in self._by_name.values()):
            self._early.clear()
        pid = kept.berth.pid() if status == 0 else 0
        if not pid:
            self._over(kept, {"failed": kept.name, "why": "", "oom": kept.berth.has_run_out()})
            return
        kept.pid = pid
        if kept.waits:
            self._tell({"created": kept.name})
        else:
            self._tell_started(kept)
        self._by_pid[pid] = kept
        if early is not None:
            self._ended(pid, early)
        elif kept.is_doomed:
            self._kill(kept)

    def _begun_or_not(self, kept: Kept, status: int) -> None:
        """One that waited was told to go."""
        if self._by_name.get(kept.name) is not kept:
            return  # it ended meanwhile
        if status == 0:
            self._tell_started(kept)
        else:
            self._kill(kept)

    def _tell_started(self, kept: Kept) -> None:
        """With a descriptor of its first process, whose number the worker knows another of: it lives outside."""
        process = os.pidfd_open(kept.pid)  # it is ours to bury, so it is there, dead or alive
        with contextlib.suppress(OSError):  # the worker is gone, and so will we be
            socket.send_fds(self._orders, [json.dumps({"started": kept.name}).encode()], [process])
        os.close(process)

    def _look_again(self) -> None:
        self._looks = {name: left - 1 for name, left in self._looks.items() if left and name in self._by_name}
        for name in [name for name, left in self._looks.items() if not left]:
            del self._looks[name]
            self._tell({"alive": name})

    def _over(self, kept: Kept, report: dict[str, Any]) -> None:
        del self._by_name[kept.name]
        if kept.network >= 0:
            os.close(kept.network)
        self._tell(report)
        if not kept.berth.is_removed():
            self._leftovers.append(kept.berth)

    def _tell(self, report: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the worker is gone, and so will we be
            self._orders.send(json.dumps(report).encode())


def is_ending(pid: int) -> bool:
    """Has it begun to? Its sockets are closed before its parent hears of it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return True
    return fields[0] in "ZX" or bool(int(fields[6]) & ENDING)


def main() -> None:
    """The first process that is started waits for the keeper, and tidies up even if that was killed."""
    _, package_root, orders_at = sys.argv
    sys.path.remove(package_root)
    orders = socket.socket(fileno=int(orders_at))
    setting: dict[str, str] = json.loads(orders.recv(LARGEST))
    home = setting["home"]
    os.mkdir(home, 0o700)
    linux.unshare(linux.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        orders.close()
        os.waitpid(pid, 0)
        sweep(setting["group"], home)
        return
    try:
        settle(home)
    except OSError as error:
        orders.send(json.dumps({"why": str(error)}).encode())
        return
    keeper = Keeper(orders, setting)
    orders.send(b"{}")
    keeper.run()
    keeper.close()


def settle(home: str) -> None:
    """Mounts that are ours alone."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("none", "/", flags=linux.MS_PRIVATE | linux.MS_REC)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    unified = "/sys/fs/cgroup/unified"
    if os.path.ismount(unified):
        linux.detach(unified)
    linux.mount("tmpfs", home, "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0700")
    os.mkdir(f"{home}/engine", 0o700)


if __name__ == "__main__":
    main()
