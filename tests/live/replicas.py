"""A cluster whose control is several processes over a store that they share, each with a directory of its own."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.apart import WORKER, Cluster, Plane
from tests.live.stores import StoreServer, free_port, running
from tests.live.whole import until

FAST = ("--heartbeat-interval", "50", "--election-timeout", "500")  # of etcd: a lease of a second is one of a second


class Replicas(Cluster):
    """`control` is whichever leads, as far as is known here."""

    def __init__(self, at: Path, store: StoreServer, controls: int) -> None:
        self.at = at
        self.workers: dict[str, Plane] = {}
        self.gateways: dict[str, Plane] = {}
        self.controls: dict[str, Plane] = {}
        self._ports = {f"c{number}": free_port() for number in range(1, controls + 1)}
        self._store = store
        with contextlib.ExitStack() as unless_all_begin:
            unless_all_begin.callback(self.stop)
            for name in self._ports:
                self.begin(name)
            unless_all_begin.pop_all()
        self.token = (at / "c1" / "join_token").read_text().strip()

    @property
    def control(self) -> Plane:  # type: ignore[override]
        return self.leader()

    def begin(self, name: str, *words: str) -> Plane:
        before = self.controls.pop(name, None)
        if before is not None:
            before.stop()
        at = ("--listen", f"127.0.0.1:{self._ports[name]}", "--port", "0", "--name", name)
        state = ("--state-dir", str(self.at / name), "--set", f"store.url={self._store.url()}")
        plane = self.controls[name] = self.start("control", *at, *state, *words)
        return plane

    @property
    def addresses(self) -> tuple[str, ...]:
        return "--control", ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def worker(self, name: str, *words: str) -> Plane:
        at = (*self.addresses, "--state-dir", str(self.at / name), "--name", name)
        plane = self.workers[name] = self.start("worker", *at, *WORKER, *words, token=self.token)
        return plane

    def gateway(self, name: str, *words: str) -> Plane:
        at = (*self.addresses, "--port", "0", "--name", name)
        store = ("--set", f"control.state_dir={self.at / name}", "--set", f"store.url={self._store.url()}")
        plane = self.gateways[name] = self.start("gateway", *at, *store, *words, token=self.token)
        return plane

    def deploy(self, name: str, source: str) -> None:
        """Whoever leads; on a busy machine that may change in the midst of it."""

        def is_deployed() -> bool:
            with contextlib.suppress(AssertionError, OSError):
                self.leader().function(name, source)
                return True
            return False

        until(is_deployed, f"{name} is deployed")

    def leader(self) -> Plane:
        """Waits for one."""
        found: list[Plane] = []

        def is_there() -> bool:
            found[:] = [plane for plane in self.controls.values() if leads(plane)]
            return bool(found)

        until(is_there, "one leads")
        return found[0]

    def told(self, path: str) -> Any:
        """What whoever leads answers; on a busy machine that may change in the midst of it."""
        answers: list[Any] = []

        def is_told() -> bool:
            with contextlib.suppress(AssertionError, OSError):
                answers.append(self.leader().get(path))
            return bool(answers)

        until(is_told, f"{path} is answered")
        return answers[0]

    def followers(self) -> list[Plane]:
        return [plane for plane in self.controls.values() if plane is not self.leader()]

    def stop(self) -> None:
        for plane in (*self.gateways.values(), *self.workers.values(), *self.controls.values()):
            plane.stop()


def leads(plane: Plane) -> bool:
    """Its admin API answers by itself."""
    with contextlib.suppress(OSError):
        return plane.process.poll() is None and plane.ask("GET", "/api/info", wait_s=1.0).status == 200
    return False


@contextlib.contextmanager
def replicas(
    at: Path, kind: str = "redis", controls: int = 3, workers: int = 2, gateways: int = 1
) -> Iterator[tuple[Replicas, StoreServer]]:
    with running(kind, at / "store", *(FAST if kind == "etcd" else ())) as store:
        made = Replicas(at, store, controls)
        try:
            for number in range(1, workers + 1):
                made.worker(f"w{number}")
            for number in range(1, gateways + 1):
                made.gateway(f"g{number}")
            made.until_joined()
            yield made, store
        finally:
            made.stop()
