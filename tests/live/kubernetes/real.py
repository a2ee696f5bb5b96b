"""A kube-apiserver with its etcd: on ports and directories of its own, with who may do what as `deploy/` says."""

import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.worker.runtime.kubernetes.access import Access, tls
from attacca.worker.runtime.kubernetes.api import Api, Declined
from tests.live.patience import PATIENCE_S
from tests.trees import ROOT

PROGRAM, COLLECTOR = "kube-apiserver", "garbage-collector"
ROLE = ROOT / "deploy" / "kubernetes" / "role.yaml"
NAMESPACE = "functions"
ADMIN, WORKER, NOBODY = "of-the-admin", "of-the-worker", "of-nobody"
TOKENS = f"""{ADMIN},admin,1,system:masters
{WORKER},system:serviceaccount:{NAMESPACE}:attacca,2,system:serviceaccounts
{NOBODY},nobody,3,
"""
NAP_S = 0.05


class ApiServer:
    """What it has stays in its directory, whether it is stopped or killed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self._store_port, self._peer_port = free(3)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __repr__(self) -> str:
        return f"<ApiServer port {self.port}, {len(self._processes)} processes>"

    def account(self, directory: Path, token: str) -> tuple[dict[str, str], Path]:
        """What a pod has of its service account: of its environment, and where it is mounted."""
        directory.mkdir()
        (directory / "ca.crt").write_bytes((self.directory / "certs" / "apiserver.crt").read_bytes())
        (directory / "namespace").write_text(NAMESPACE)
        (directory / "token").write_text(token)
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}, directory

    def access(self, token: str = WORKER, namespace: str = NAMESPACE) -> Access:
        authority = (self.directory / "certs" / "apiserver.crt").read_bytes()
        return Access("127.0.0.1", self.port, "", namespace, tls(authority, b"", b""), token=token)

    def kubeconfig(self, token: str = WORKER) -> Path:
        """As kubectl would have it."""
        path = self.directory / f"kubeconfig-{token}"
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority": "certs/apiserver.crt"}
        told = {
            "apiVersion": "v1", "kind": "Config", "current-context": "it",
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it", "namespace": NAMESPACE}}],
        }  # fmt: skip
        path.write_bytes(msgspec.yaml.encode(told))
        return path

    def open(self) -> None:
        self._begin("etcd", [
            "etcd", "--data-dir", str(self.directory / "etcd"),
            "--listen-client-urls", f"http://127.0.0.1:{self._store_port}",
            "--advertise-client-urls", f"http://127.0.0.1:{self._store_port}",
            "--listen-peer-urls", f"http://127.0.0.1:{self._peer_port}",
            "--initial-advertise-peer-urls", f"http://127.0.0.1:{self._peer_port}",
            "--initial-cluster", f"default=http://127.0.0.1:{self._peer_port}", "--unsafe-no-fsync",
        ])  # fmt: skip
        key = self.directory / "account.key"
        if not key.exists():
            subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
        (self.directory / "tokens").write_text(TOKENS)
        self.start()
        asyncio.run(self._furnish())

    def start(self) -> None:
        assert shutil.which(PROGRAM), f"{PROGRAM} is not on the PATH: make kubernetes builds it"
        key = str(self.directory / "account.key")
        self._begin(PROGRAM, [
            PROGRAM, f"--etcd-servers=http://127.0.0.1:{self._store_port}", f"--secure-port={self.port}",
            "--bind-address=127.0.0.1", f"--advertise-address={own_address()}",
            f"--cert-dir={self.directory / 'certs'}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}", "--authorization-mode=RBAC",
            f"--token-auth-file={self.directory / 'tokens'}", "--service-cluster-ip-range=10.96.0.0/16",
            "--disable-admission-plugins=ServiceAccount", "--feature-gates=WatchList=false",
        ])  # fmt: skip
        until = time.monotonic() + 3 * PATIENCE_S
        while not asyncio.run(self._is_ready()):
            if self._processes[PROGRAM].poll() is not None or time.monotonic() > until:
                pytest.fail(f"{PROGRAM} does not begin: {(self.directory / f'{PROGRAM}.log').read_text()[-3000:]}")
            time.sleep(NAP_S)

    async def _is_ready(self) -> bool:
        try:
            api = Api(self.access(ADMIN))
        except OSError:
            return False
        try:
            return await api.ask("GET", "/readyz") == b"ok"
        except Declined:
            return False
        finally:
            await api.close()

    async def _furnish(self) -> None:
        """With the namespace and the account of `deploy/`."""
        api = Api(self.access(ADMIN))
        try:
            for text in ROLE.read_text().split("\n---\n"):
                told = msgspec.yaml.decode(text)
                await api.ask("POST", path_of(told), told)
        finally:
            await api.close()

    def collect(self) -> None:
        """From now on what has lost its owner is removed, by Kubernetes' own code."""
        assert shutil.which(COLLECTOR), f"{COLLECTOR} is not on the PATH: make kubernetes builds it"
        self._begin(COLLECTOR, [COLLECTOR, str(self.kubeconfig(ADMIN))])

    def stop(self, number: int = signal.SIGKILL) -> None:
        """The API server alone."""
        self._end(PROGRAM, number)

    def hold(self, *, is_held: bool) -> None:
        self._processes[PROGRAM].send_signal(signal.SIGSTOP if is_held else signal.SIGCONT)

    def close(self) -> None:
        for name in reversed(list(self._processes)):
            self._end(name, signal.SIGKILL)

    def _begin(self, name: str, command: list[str]) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _end(self, name: str, number: int) -> None:
        process = self._processes.pop(name)
        process.send_signal(number)
        process.wait(PATIENCE_S)


def path_of(told: Any) -> str:
    group = "/apis/rbac.authorization.k8s.io/v1" if told["apiVersion"].startswith("rbac") else "/api/v1"
    inside = "" if told["kind"] == "Namespace" else f"/namespaces/{told['metadata']['namespace']}"
    return f"{group}{inside}/{told['kind'].lower()}s"


def free(count: int) -> list[int]:
    """Ports, each another."""
    with contextlib.ExitStack() as closing:
        socks = [closing.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in socks]


def own_address() -> str:
    """Any but a loopback's, at which nobody is asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.connect(("192.0.2.1", 9))
        return str(sock.getsockname()[0])
    return "192.0.2.2"


@contextlib.contextmanager
def running(directory: Path) -> Iterator[ApiServer]:
    """Nothing of it runs afterwards."""
    server = ApiServer(directory)
    try:
        server.open()
        yield server
    finally:
        server.close()
