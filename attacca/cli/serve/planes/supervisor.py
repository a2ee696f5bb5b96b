"""Control, workers and gateways of one machine as processes, started in that order and started anew when they die.

Where there are as many gateways as workers, each gateway may share its process with a worker: then what stays between
the two needs no link, and both die together.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from attacca.cli.serve.cluster import JOIN_FILE, JOIN_TOKEN, LISTEN_FD
from attacca.cli.serve.configuration import ServerConfig, expand
from attacca.cli.serve.planes.door import cannot_listen, url_of
from attacca.cli.serve.planes.steering import Shared, listen
from attacca.client.program import ourselves
from attacca.errors import AttaccaError, Unreachable
from attacca.kernel.settings import read_assignments

LOG = logging.getLogger("attacca.supervisor")
FIRST_S, LAST_S, FACTOR = 0.1, 5.0, 2.0  # between two starts of one that dies at once
STEADY_S = 10.0  # who lived so long is started anew at once
KILLED_S = 5.0  # after a second signal, until it is killed
SOCKETS = "links"  # in the state directory: where gateways find the workers beside them
# What each is told by itself, whatever is said for all of them.
OURS = (
    "gateway.host", "gateway.port", "gateway.share_port", "control.state_dir", "worker.name", "worker.memory_mb",
    "worker.cores", "cluster",
)  # fmt: skip


class Child:
    """One process, of a plane or of two, and the one after it."""

    def __init__(
        self,
        planes: Sequence[str],
        words: Sequence[str],
        environment: Mapping[str, str],
        handed: socket.socket | None = None,
    ) -> None:
        """`handed`: it listens there, as those before and after it."""
        self.planes, self.name, self.words = planes, "+".join(planes), words
        self.info: dict[str, Any] = {}
        self.starts = 0
        self._environment = dict(environment)
        self._descriptors = [] if handed is None else [handed.fileno()]
        if handed is not None:
            self._environment[LISTEN_FD] = str(handed.fileno())
        self._process: asyncio.subprocess.Process | None = None

    def __repr__(self) -> str:
        return f"<Child {self.name}: {self.starts} starts, {'up' if self.is_up else 'down'}>"

    @property
    def is_up(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """
        Raises:
            Unreachable: it did not start; why, it has said itself.
        """
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            *ourselves(), *self.words, "--json", "--lifeline", env=self._environment,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, start_new_session=True,
            pass_fds=self._descriptors,
        )  # fmt: skip
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise Unreachable(f"{self.name} did not start", "what it has said stands above")
        self.info = msgspec.json.decode(line)

    async def wait(self) -> int:
        assert self._process is not None
        return await self._process.wait()

    async def end(self, number: int = signal.SIGTERM) -> None:
        """Until it has ended; it may take as long as it drains."""
        if self._process is not None and self.is_up:
            self._process.send_signal(number)
            await self._process.wait()

    async def kill(self) -> None:
        """A second signal ends it on the spot; where even that is not heard, the kernel does."""
        try:
            async with asyncio.timeout(KILLED_S):
                for _ in range(2):
                    if self._process is not None and self.is_up:
                        self._process.send_signal(signal.SIGTERM)
                        await asyncio.sleep(0)
                if self._process is not None:
                    await self._process.wait()
        except TimeoutError:
            await self.end(signal.SIGKILL)


class Supervisor:
    """A `running.Plane`: all of `attacca up --workers N --gateways M`."""

    def __init__(
        self,
        config: ServerConfig,
        workers: int,
        gateways: int,
        said: Sequence[str] = (),
        handed: socket.socket | None = None,
        *,
        is_paired: bool = False,
    ) -> None:
        """`said`: options and their values that all planes are given as they are. `handed`: listens already.
        `is_paired`: each gateway is in the process of a worker, if there are as many."""
        self.config = config
        self.restored = 0
        self._workers, self._gateways = workers, gateways
        self._is_paired = is_paired and workers == gateways
        self._said = said
        self._port = config.gateway.port
        self._shared = None if handed is None else Shared([handed])
        self._children: list[Child] = []
        self._places: dict[str, int] = {}  # of gateways, among the sockets
        self._keeping: list[asyncio.Task[None]] = []
        self._is_ending = False

    def __repr__(self) -> str:
        up = sum(child.is_up for child in self._children)
        return f"<Supervisor {up} of {len(self._children)} planes up>"

    @property
    def url(self) -> str:
        return url_of(self.config.gateway, self._port)

    def info(self) -> dict[str, Any]:
        return {
            "process": os.getpid(),
            "state_dir": str(self.config.control.state_dir),
            "admin": self._children[0].info["url"],
            "join": self._children[0].info["join"],
            "planes": {name: child.info["process"] for child in self._children for name in child.planes},
        }

    async def open(self) -> None:
        """
        Raises:
            AttaccaError: what stands in the way; of what a plane says, only that it has said it.
        """
        try:
            self._listen()
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        config = self.config
        state = str(config.control.state_dir)
        at = ["--host", config.gateway.host, "--state-dir", state]
        control = self._child(["control"], ["control", *at, "--listen", "127.0.0.1:0", "--port", "0"], os.environ)
        await control.start()
        self.restored = control.info["restored"]
        link, port = control.info["join"], control.info["url"].rpartition(":")[2]
        control.words = ["control", *at, "--listen", link, "--port", port, *self._said]
        token = (config.control.state_dir / JOIN_FILE).read_text().strip()
        environment = {**os.environ, JOIN_TOKEN: token}
        sockets = config.control.state_dir.resolve() / SOCKETS
        sockets.mkdir(mode=0o700, exist_ok=True)
        for left in sockets.iterdir():  # behind by those that were killed
            left.unlink()
        beside = ["--set", f"cluster.sockets={sockets}"]
        memory_mb = str(config.worker.memory_mb // self._workers)
        cores = str(max(config.worker.cores // self._workers, 1))
        for number in range(1, self._workers + 1):
            name = f"worker-{number}"
            words = ["worker", "--name", name, "--state-dir", f"{state}/{name}", "--control", link]
            words += ["--memory", memory_mb, "--cores", cores, *beside]
            if self._is_paired:
                gateway = f"gateway-{number}"
                self._child([gateway, name], [*words, "--gateway", gateway], environment, number - 1)
            else:
                self._child([name], words, environment)
        for number in range(1, 1 if self._is_paired else self._gateways + 1):
            name = f"gateway-{number}"
            words = ["gateway", "--name", name, "--control", link, "--host", config.gateway.host]
            words += ["--port", str(self._port), "--set", f"control.state_dir={state}"]
            self._child([name], [*words, *beside], environment, number - 1)
        await asyncio.gather(*[child.start() for child in self._children[1:]])
        self._keeping = [asyncio.create_task(self._keep(child)) for child in self._children]

    def _child(
        self, planes: Sequence[str], words: Sequence[str], environment: Mapping[str, str], place: int | None = None
    ) -> Child:
        handed = None if place is None or self._shared is None else self._shared.of(place)
        child = Child(planes, [*words, *self._said], environment, handed)
        if place is not None:
            self._places[child.name] = place
        self._children.append(child)
        return child

    def _listen(self) -> None:
        """
        Raises:
            Conflict, BadConfig: it cannot be had.
        """
        if self._shared is None:
            host, port = self.config.gateway.host, self.config.gateway.port
            try:
                self._shared = listen(host, port, self._gateways)
            except OSError as error:
                raise cannot_listen(host, port, error) from None
        self._port = self._shared.port

    async def _keep(self, child: Child) -> None:
        loop, pause_s = asyncio.get_running_loop(), FIRST_S
        while not self._is_ending:
            since = loop.time()
            code = await child.wait()
            if self._is_ending:
                return
            pause_s = FIRST_S if loop.time() - since > STEADY_S else min(pause_s * FACTOR, LAST_S)
            if self._shared is not None and child.name in self._places:
                self._shared.lose(self._places[child.name])
            LOG.warning("%s ended with %d, and is started anew", child.name, code)
            await asyncio.sleep(pause_s)
            with contextlib.suppress(AttaccaError):  # it is tried again
                await child.start()
                if self._shared is not None and child.name in self._places:
                    self._shared.regain(self._places[child.name])

    async def drain(self) -> None:
        """Gateways first, which still need workers; control last."""
        await self._end_keeping()
        for kind in ("gateway", "worker", "control"):
            await asyncio.gather(*[child.end() for child in self._of(kind)])

    async def close(self) -> None:
        await self._end_keeping()
        await asyncio.gather(*[child.kill() for child in self._children])
        if self._shared is not None:
            self._shared.close()

    async def _end_keeping(self) -> None:
        self._is_ending = True
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)

    def _of(self, kind: str) -> Iterable[Child]:
        return [child for child in self._children if child.words[0] == kind]


def for_all(assignments: Iterable[str]) -> list[str]:
    """Those that are for every plane, as options.

    Raises:
        BadConfig: one is none.
    """
    words = []
    for assignment in assignments:
        keys = expand(read_assignments([assignment]))
        if not any(key == ours or key.startswith(f"{ours}.") for key in keys for ours in OURS):
            words += ["--set", assignment]
    return words
