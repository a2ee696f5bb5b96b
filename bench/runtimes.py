"""What each runtime of this machine costs: `attacca bench runtimes`, with daemons of its own where they are installed,
and a cluster of its own where `make kubernetes` has built an API server.

python bench/runtimes.py [--only NAME]... [OPTION]...

Writes bench/runtimes.json after each, of which `make docs` makes the table of docs/runtimes.md. With `--only` what is
there of others stays.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import places
from tests.live import python_image
from tests.live.engines import daemons
from tests.live.kubernetes import real
from tests.live.kubernetes.aside import aside
from tests.live.kubernetes.containers import Containers
from tests.live.kubernetes.kubelet import Kubelet
from tests.live.kubernetes.node import joined
from tests.live.kubernetes.subject import IMAGE

OUT = Path(__file__).with_name("runtimes.json")
DAEMONS = {"containerd": ("by-containerd", "containerd"), "docker": ("by-docker", "dockerd")}
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
BUILT = "attacca-kube-apiserver-*"


@contextlib.contextmanager
def cluster(place: Path) -> Iterator[Path]:
    """A kubeconfig. Its one node is the small kubelet of the tests, whose containers are runc's."""
    for name in ("server", "pods"):
        (place / name).mkdir(parents=True)
    with real.running(place / "server") as server:
        containers = Containers(place / "pods", python_image.unpacked(place / "image"))

        @contextlib.asynccontextmanager
        async def node() -> AsyncIterator[Kubelet]:
            async with joined(server, containers, place) as kubelet:
                yield kubelet

        try:
            with aside(node):
                yield server.kubeconfig()
        finally:
            containers.close()


def can_have_cluster() -> bool:
    found = sorted(path for path in CACHE.glob(BUILT) if (path / real.PROGRAM).exists())
    if found:
        os.environ["PATH"] = f"{found[-1]}:{os.environ['PATH']}"
    return bool(found) and os.geteuid() == 0 and all(shutil.which(name) for name in ("etcd", "runc", "openssl"))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--only", action="append", default=[], metavar="NAME")
    asked, more = options.parse_known_args()
    command = [sys.executable, "-m", "attacca.cli.app", "bench", "runtimes", *asked.only, "--out", str(OUT)]
    with places.place() as place, contextlib.ExitStack() as stack:
        for kind, (name, program) in DAEMONS.items():
            if (name in asked.only or not asked.only) and shutil.which(program) is not None:
                daemon = stack.enter_context(daemons.running(kind, place / kind))
                command += [f"--{kind}", daemon.socket]
        if ("kubernetes" in asked.only or not asked.only) and can_have_cluster():
            kubeconfig = stack.enter_context(cluster(place / "cluster"))
            command += ["--kubeconfig", str(kubeconfig), "--image", IMAGE]
        return subprocess.run([*command, *more], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
