"""Invocations of a container: beside its own port called directly, and of one that was frozen beside one that was not.

python bench/boxes.py [CALLS]
"""

import contextlib
import os
import socket
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attacca.images import layout
from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.worker.host.network import Namespace
from bench.client import WARM_UP, Client
from bench.places import place
from bench.result import Result, Round
from bench.server import HERE, Attacca, attacca

PROGRAM, PORT, NAME = HERE / "functions" / "box", 8080, "box"
PAUSE_S, IDLE_S = 0.005, 0.03  # after which it is frozen; between two invocations
PATH = f"/function/{NAME}"
BLOCK = 100  # invocations, before it is the other's turn


def archive(at: Path) -> Path:
    images = ImageStore(at / "images", at / "tmp")
    images.open()
    plan = Plan(command=("python3", "-IS", "/app/main.py"))
    digest, manifest = build(PROGRAM, python(images, at, lambda _: None), plan, images)
    made = at / "image.tar"
    with made.open("wb") as file:
        layout.write(file, images.blobs, digest, manifest, [])
    return made


class Direct(Client):
    """To the program's own port, in the network namespace of its container."""

    def __init__(self, server: Attacca) -> None:
        self._pid = program_of(server)
        super().__init__(PORT)

    def _connect(self) -> socket.socket:
        with open(f"/proc/{self._pid}/ns/net") as there, open("/proc/thread-self/ns/net") as here:
            sock = Namespace(there.fileno(), here.fileno()).socket()
        sock.connect(("127.0.0.1", PORT))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock


def program_of(server: Attacca) -> int:
    """The process of its one container."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            groups = Path(f"/proc/{name}/cgroup").read_text()
            if (
                f"/attacca-{server.process.pid}-" in groups
                and b"/app/main.py" in Path(f"/proc/{name}/cmdline").read_bytes()
            ):
                return int(name)
    raise RuntimeError("there is no container")


def p50_us(client: Client, count: int, pause_s: float = 0.0) -> float:
    took = []
    for _ in range(count):
        if pause_s:
            time.sleep(pause_s)
        answer = client.post(PATH)
        if answer.status != 200:
            raise RuntimeError(f"{PATH} answered {answer.status}")
        took.append(answer.took_s * 1e6)
    return statistics.median(took)


@contextlib.contextmanager
def _serving(image: Path, *options: str) -> Iterator[tuple[Attacca, Client]]:
    with attacca(*options) as server:
        server.deploy(image, "--name", NAME, "--max", "1")
        client = Client(server.port)
        p50_us(client, WARM_UP)
        yield server, client
        client.close()


def _alternately(one: tuple[Client, float], other: tuple[Client, float], calls: int, block: int) -> tuple[float, float]:
    both = [(p50_us(one[0], block, one[1]), p50_us(other[0], block, other[1])) for _ in range(max(calls // block, 1))]
    mine, beside = (statistics.median(column) for column in zip(*both, strict=True))
    return mine, beside


def boxes(rounds: int, calls: int) -> Iterator[Result]:
    """a container's invocations beside its own port, and what thawing it takes"""
    warm, thawed = [], []
    with place() as at:
        image = archive(at)
        with (
            _serving(image) as (server, client),
            _serving(image, "--set", f"container.pause_after_s={PAUSE_S}") as (_, late),
        ):
            direct = Direct(server)
            p50_us(direct, WARM_UP)
            for _ in range(rounds):
                mine, beside = _alternately((client, 0.0), (direct, 0.0), calls, BLOCK)
                warm.append(Round((mine - beside) / 1e3, 1.0))
                mine, beside = _alternately((late, IDLE_S), (client, IDLE_S), calls // 20, BLOCK // 10)
                thawed.append(Round((mine - beside) / 1e3, 1.0))
            direct.close()
    yield Result("warm invocation of a container, more than its own port takes, p50", "ms", "", 0.15, warm)
    yield Result("invocation of a frozen container, more than of another, p50", "ms", "", 1.0, thawed)


def main() -> None:
    for result in boxes(2, int([*sys.argv, "600"][1])):
        print(f"{result.name}: {result.median:.3f} ms {[round(one.ours, 3) for one in result.rounds]}")


if __name__ == "__main__":
    main()
