"""Where a store is, as a URL says it: `sqlite:`, `redis://...`, `etcd://...`; with an s behind the name, over TLS.

`redis://user:password@host:6379/0?prefix=home`, `etcds://a:2379,b:2379,c:2379?ca=/etc/attacca/ca.pem`. A password may
stand in a file of its own instead; wherever an address is shown, it is left out.
"""

import re
import ssl
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import msgspec

from attacca.errors import BadConfig

PORTS = {"redis": 6379, "etcd": 2379}
SCHEMES = {"redis": ("redis", False), "rediss": ("redis", True), "etcd": ("etcd", False), "etcds": ("etcd", True)}
OPTIONS = ("prefix", "ca", "cert", "key")
PARTS = re.compile(r"//([^/?#]*)([^?#]*)\??([^#]*)")  # a library's urlsplit may want one host at most in brackets
PREFIX = re.compile(r"[a-z0-9][A-Za-z0-9._-]{0,62}")
SECRET = re.compile(r"(?<=://)([^/@]*?):[^/]*@")
EXAMPLES = "sqlite:, redis://host:6379/0 or etcd://host:2379; rediss:// and etcds:// speak TLS"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is sqlite, redis or etcd. `ca`, `cert`, `key`: files in PEM."""

    kind: str
    path: str = ""  # of SQLite's file, empty: in the state directory
    hosts: tuple[tuple[str, int], ...] = ()
    user: str = ""
    password: str = ""
    database: int = 0
    prefix: str = "attacca"
    has_tls: bool = False
    ca: str = ""
    cert: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"

    def __str__(self) -> str:
        if self.kind == "sqlite":
            return f"sqlite:{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.kind}{'s' * self.has_tls}://{hosts}"

    def tls(self) -> ssl.SSLContext | None:
        """
        Raises:
            BadConfig: a file that it names is none that TLS can use.
        """
        if not self.has_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key or None)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(name for name in (self.ca, self.cert, self.key) if name)
            what = f"{self}: TLS cannot be set up with {files}: {error.strerror or error}"
            raise BadConfig(what, "?ca=, ?cert= and ?key= name files in PEM that this user can read") from None
        return context


def parse(url: str, password_file: Path | None = None) -> Address:
    """
    Raises:
        BadConfig: it is no address of a store.
    """
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "sqlite":
        return Address(kind="sqlite", path=rest)
    parts = PARTS.match(rest)
    if scheme not in SCHEMES or parts is None:
        raise wrong(url, "it is none that attacca knows")
    kind, has_tls = SCHEMES[scheme]
    authority, path, query = parts.groups()
    try:
        options = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    except ValueError as error:
        raise wrong(url, str(error)) from None
    unknown = [name for name in options if name not in OPTIONS]
    if unknown:
        raise wrong(url, f"{unknown[0]!r} is no option of one ({', '.join(OPTIONS)})")
    if PREFIX.fullmatch(options.get("prefix", "attacca")) is None:
        raise wrong(url, "its prefix is no word")
    if not has_tls and {"ca", "cert", "key"} & options.keys():
        raise wrong(url, f"files for TLS are named, and it says {scheme}://, not {scheme}s://")
    login, _, hosts = authority.rpartition("@")
    user, _, password = login.partition(":")
    return Address(
        kind=kind,
        hosts=_hosts(url, hosts, kind),
        user=unquote(user),
        password=_read(password_file) if password_file is not None else unquote(password),
        database=_database(url, path, kind),
        has_tls=has_tls,
        **options,
    )


def masked(url: str) -> str:
    """As people may see it."""
    return SECRET.sub(r"\1:***@", url)


def wrong(url: str, reason: str) -> BadConfig:
    return BadConfig(f"store.url = {masked(url)!r} is no address of a store: {reason}", EXAMPLES)


def _hosts(url: str, hosts: str, kind: str) -> tuple[tuple[str, int], ...]:
    found = []
    for one in hosts.split(","):
        match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?", one)
        if match is None or not 0 < int(match[2] or PORTS[kind]) < 1 << 16:
            raise wrong(url, f"{one!r} is no host with a port")
        found.append((match[1].strip("[]"), int(match[2] or PORTS[kind])))
    if kind == "redis" and len(found) > 1:
        raise wrong(url, "Redis has one host; for several machines that agree, use etcd")
    return tuple(found)


def _database(url: str, path: str, kind: str) -> int:
    number = path.strip("/")
    if number and (kind != "redis" or not re.fullmatch(r"[0-9]{1,3}", number)):
        raise wrong(url, f"{path!r} behind the host is no number of a database")
    return int(number or 0)


def _read(path: Path) -> str:
    try:
        return path.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadConfig(f"store.password_file = {path} cannot be read: {reason}", "a file with the password") from None
