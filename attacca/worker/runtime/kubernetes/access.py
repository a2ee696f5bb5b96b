"""Where an API server is and what it is shown: from a kubeconfig, or from the service account of the pod we are in.

Blocking. Of a kubeconfig a server, its certificate authority, a token and a client's certificate are taken; nothing in
it is run.
"""

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from attacca.errors import BadConfig
from attacca.kernel.access import is_loopback
from attacca.worker.runtime.kubernetes.options import KubernetesOptions

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILE_BYTES = 1 << 20
DEFAULT = "default"  # namespace
SERVER = "a server is https://HOST:PORT; http only on this machine"
REFUSED = {  # in a user of a kubeconfig
    "exec": "a program that gives tokens",
    "auth_provider": "an authentication provider",
    "username": "a password",
    "impersonated": "another user's name",
}
INSTEAD = "kubernetes.kubeconfig takes a token, or a client's certificate: kubectl create token ACCOUNT makes a token"


class Access(NamedTuple):
    """How an API server is reached. `token_file` is read anew: who keeps it puts others there."""

    host: str
    port: int
    prefix: str
    namespace: str
    context: ssl.SSLContext | None = None  # None: plain
    server_name: str = ""
    token: str = ""
    token_file: Path | None = None
    home: str = ""  # the namespace of the pod that we are in; empty: we are in none

    def __repr__(self) -> str:
        """Without the token: it may be read by anybody."""
        return f"<Access {self.shown}, namespace {self.namespace}>"

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.context is None else 'https'}://{host}:{self.port}{self.prefix}"


class Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class User(msgspec.Struct, frozen=True, rename="kebab"):
    token: str = ""
    token_file: str = msgspec.field(name="tokenFile", default="")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: msgspec.Raw | dict[str, object] | None = None
    auth_provider: dict[str, object] | None = None
    username: str = ""
    impersonated: str = msgspec.field(name="as", default="")

    def __repr__(self) -> str:
        return "<User>"


class Context(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: Cluster = Cluster()


class NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: User = User()


class NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: Context = Context()


class Kubeconfig(msgspec.Struct, frozen=True, rename="kebab"):
    clusters: tuple[NamedCluster, ...] | None = None
    users: tuple[NamedUser, ...] | None = None
    contexts: tuple[NamedContext, ...] | None = None
    current_context: str = ""


def access(options: KubernetesOptions, environ: Mapping[str, str], account: Path = ACCOUNT) -> Access:
    """
    Raises:
        BadConfig: there is no way there, and what to set.
    """
    if options.in_cluster:
        return _of_account(options, environ, account)
    assert options.kubeconfig is not None, "there is no cluster"
    path = Path(options.kubeconfig).expanduser()
    with _about(str(path)):
        return _of_file(options, read(_bounded(path), str(path)), path.parent)


def read(data: bytes, shown: str) -> Kubeconfig:
    """
    Raises:
        BadConfig: it is none.
    """
    try:
        return msgspec.yaml.decode(data, type=Kubeconfig)
    except ImportError:
        raise BadConfig(
            "a kubeconfig is YAML, and PyYAML is not installed", "pip install 'attacca[kubernetes]'"
        ) from None
    except (msgspec.MsgspecError, ValueError) as error:
        said = str(error).partition("\n")[0][:200]
        raise BadConfig(f"{shown} is no kubeconfig: {said}", "kubectl config view --flatten writes one") from None


@contextlib.contextmanager
def _about(shown: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or str(error)
        raise BadConfig(f"{shown} cannot be used: {why}", "see kubernetes.kubeconfig, and what it names") from None


def _of_file(options: KubernetesOptions, config: Kubeconfig, beside: Path) -> Access:
    name = options.context or config.current_context
    contexts = {one.name: one.context for one in config.contexts or ()}
    if name not in contexts:
        raise BadConfig(f"the kubeconfig has no context {name[:100]!r}", f"kubernetes.context: {_listed(contexts)}")
    context = contexts[name]
    clusters = {one.name: one.cluster for one in config.clusters or ()}
    users = {one.name: one.user for one in config.users or ()}
    if context.cluster not in clusters:
        raise BadConfig(f"the kubeconfig has no cluster {context.cluster[:100]!r}", f"it has {_listed(clusters)}")
    cluster, user = clusters[context.cluster], users.get(context.user, User())
    _expect_plain(cluster, user)
    host, port, prefix, is_plain = _place(cluster.server)
    authority = _data(cluster.certificate_authority_data, cluster.certificate_authority, beside)
    certificate = _data(user.client_certificate_data, user.client_certificate, beside)
    key = _data(user.client_key_data, user.client_key, beside)
    return Access(
        host, port, prefix,
        options.namespace or context.namespace or DEFAULT,
        None if is_plain else tls(authority, certificate, key),
        cluster.tls_server_name, user.token,
        beside / user.token_file if user.token_file and not user.token else None,
    )  # fmt: skip


def _expect_plain(cluster: Cluster, user: User) -> None:
    for field, what in REFUSED.items():
        if getattr(user, field):
            raise BadConfig(f"the kubeconfig has {what}, which is not taken", INSTEAD)
    if cluster.insecure_skip_tls_verify:
        raise BadConfig("insecure-skip-tls-verify is not taken", "give the cluster its certificate-authority-data")
    if cluster.proxy_url:
        raise BadConfig("proxy-url is not taken", "let the server reach its cluster by itself")


def _of_account(options: KubernetesOptions, environ: Mapping[str, str], account: Path) -> Access:
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not port.isdecimal():
        raise BadConfig("this is no pod: KUBERNETES_SERVICE_HOST is not set", "kubernetes.kubeconfig = FILE")
    with _about(str(account)):
        home = _bounded(account / "namespace").decode("ascii", "replace").strip() or DEFAULT
        authority = tls(_bounded(account / "ca.crt"), b"", b"")
        namespace, token = options.namespace or home, account / "token"
        return Access(host, int(port), "", namespace, authority, token_file=token, home=home)


def tls(authority: bytes, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """`authority` empty: those of the system.

    Raises:
        OSError, ssl.SSLError: they are none.
    """
    context = ssl.create_default_context(cadata=authority.decode("ascii", "replace") if authority else None)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)  # clusters' own authorities lack what it wants
    if certificate and key:
        with tempfile.TemporaryDirectory(prefix="attacca-") as room:  # OpenSSL takes files alone
            paths = [Path(room, name) for name in ("crt", "key")]
            for path, data in zip(paths, (certificate, key), strict=True):
                with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
            context.load_cert_chain(paths[0], paths[1])
    return context


def _place(server: str) -> tuple[str, int, str, bool]:
    try:
        parts = urlsplit(server)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    is_plain = bool(host) and parts.scheme == "http"
    if not host or parts.scheme not in ("http", "https") or not server.isascii() or any(one < "!" for one in server):
        raise BadConfig(f"the server of the kubeconfig is {server[:100]!r}", SERVER)
    if is_plain and not is_loopback(host):
        raise BadConfig(f"{server[:100]} is asked without TLS, and is another machine", SERVER)
    return host, port or (80 if is_plain else 443), parts.path.rstrip("/"), is_plain


def _data(inline: str, path: str, beside: Path) -> bytes:
    if not inline:
        return _bounded(beside / path) if path else b""
    try:
        return base64.b64decode(inline, validate=True)
    except (binascii.Error, ValueError):
        raise BadConfig("what the kubeconfig has as data is no base64", "kubectl config view --flatten --raw") from None


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise BadConfig(f"{path} has more than {FILE_BYTES >> 20} MB", "it is to be a kubeconfig, or what that names")
    return data


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(sorted(names)[:10]) or "none"
