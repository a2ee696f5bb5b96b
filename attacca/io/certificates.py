"""The certificates of a cluster: a small authority of its own, and one certificate for each plane, by its name.

A plane is who its certificate says, as `attacca://worker/w1`, wherever it is: addresses change, names do not.
"""

import asyncio
import datetime
import logging
import os
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from attacca.errors import BadConfig, Conflict, StateUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

LOG = logging.getLogger("attacca.wire")
AUTHORITY, AUTHORITY_KEY = "ca.crt", "ca.key"
OWN, OWN_KEY = "plane.crt", "plane.key"
AUTHORITY_DAYS, PLANE_DAYS = 3650, 365
SOON_DAYS = 30
LOOK_S = 2.0
SCHEME = "attacca://"
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?(?!\n)$")
CONTROL = "control"  # the name of every control, and of nobody else


class Shown(NamedTuple):
    """One certificate, for people."""

    path: Path
    names: tuple[str, ...]
    ends_at: float  # seconds since 1970


class Certificates:
    """What a plane shows and whom it believes, from a directory; read anew when a file there has changed."""

    def __init__(self, directory: Path) -> None:
        """
        Raises:
            BadConfig: they are not there, or do not belong together.
        """
        self.directory = directory
        self.to_listen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.to_dial = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.reads = 0
        for context in (self.to_listen, self.to_dial):
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.check_hostname = False  # a peer's name is in its certificate, and compared by `identities`
            context.verify_mode = ssl.CERT_REQUIRED
        self._seen = self._look()
        self._read()

    def __repr__(self) -> str:
        return f"<Certificates {self.directory}: read {self.reads} times>"

    async def keep(self) -> None:
        """Until it is cancelled. Links that are there stay; those that come show and are judged by what is new."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.renew()

    def renew(self) -> None:
        """What cannot be used is left, and told: the older ones are still good."""
        seen = self._look()
        if seen != self._seen:
            self._seen = seen
            try:
                self._read()
            except BadConfig as error:
                LOG.error("%s; the ones before are used", error.message)

    def _look(self) -> list[tuple[int, int]]:
        found = []
        for name in (AUTHORITY, OWN, OWN_KEY):
            try:
                facts = os.stat(self.directory / name)
            except OSError:
                continue
            found.append((facts.st_mtime_ns, facts.st_ino))
        return found

    def _read(self) -> None:
        paths = [str(self.directory / name) for name in (AUTHORITY, OWN, OWN_KEY)]
        try:
            for context in (self.to_listen, self.to_dial):
                context.load_verify_locations(paths[0])
                context.load_cert_chain(paths[1], paths[2])
        except (OSError, ssl.SSLError) as error:
            raise BadConfig(
                f"the certificates in {self.directory} cannot be used: {error}",
                f"{AUTHORITY}, {OWN} and {OWN_KEY} belong there: attacca certs worker NAME --out DIR",
            ) from None
        self.reads += 1


def identities(peer: Any) -> frozenset[str]:
    """The names in what `ssl` says of a peer's certificate."""
    return frozenset(value for kind, value in peer.get("subjectAltName", ()) if kind == "URI")


def identity(plane: str, name: str) -> str:
    return f"{SCHEME}{plane}/{name}"


# Making them.


def make_authority(directory: Path, now: float, *, renew: bool = False) -> Path:
    """With `renew` planes believe the one before, too, until its certificates are replaced and it is taken out.

    Raises:
        Conflict: there is one.
        StateUnavailable: it cannot be written.
    """
    path = directory / AUTHORITY
    if path.exists() and not renew:
        raise Conflict(f"there is an authority in {directory} already", "attacca certs init --renew")
    from cryptography import x509

    key = _key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacca cluster")])
    made = (
        _begun(subject, subject, key, now, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, _sha256())
    )
    before = path.read_bytes() if path.exists() else b""
    _write(directory, {AUTHORITY: _pem(made) + before, AUTHORITY_KEY: _pem_key(key)})
    return path


def make_plane(directory: Path, plane: str, name: str, out: Path, now: float, days: int = PLANE_DAYS) -> Path:
    """A certificate for one plane, signed by the authority in a directory, with all that it needs beside it.

    Raises:
        BadConfig: there is no authority, or it is no name of such a plane.
        StateUnavailable: it cannot be written.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if NAME.match(name) is None or (name == CONTROL) != (plane == CONTROL):
        raise BadConfig(
            f"{name[:80]!r} is no name for a {plane}", f"lower case, digits, dots and dashes, not {CONTROL!r}"
        )
    try:
        bundle = (directory / AUTHORITY).read_bytes()
        authority = x509.load_pem_x509_certificates(bundle)[0]
        loaded = load_pem_private_key((directory / AUTHORITY_KEY).read_bytes(), None)
    except (OSError, ValueError) as error:
        raise BadConfig(f"there is no authority in {directory}: {error}", "attacca certs init") from None
    key, authority_key = _key(), cast("EllipticCurvePrivateKey", loaded)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{plane} {name}")])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity(plane, name))])
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    made = (
        _begun(subject, authority.subject, key, now, days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False), critical=True)
        .add_extension(names, critical=False)
        .add_extension(by, critical=False)
        .sign(authority_key, _sha256())
    )
    _write(out, {AUTHORITY: bundle, OWN: _pem(made), OWN_KEY: _pem_key(key)})
    return out


def shown(paths: Iterable[Path]) -> list[Shown]:
    """Those that can be read; of several in one file, all."""
    from cryptography import x509

    found = []
    for path in paths:
        try:
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
        except (OSError, ValueError):
            continue
        found += [Shown(path, _names(one), one.not_valid_after_utc.timestamp()) for one in certificates]
    return found


def _names(certificate: "Certificate") -> tuple[str, ...]:
    from cryptography import x509

    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ("authority",)
    return tuple(uri.removeprefix(SCHEME) for uri in names.get_values_for_type(x509.UniformResourceIdentifier))


def _begun(subject: Any, issuer: Any, key: "EllipticCurvePrivateKey", now: float, days: int) -> Any:
    from cryptography import x509

    begin = datetime.datetime.fromtimestamp(now, datetime.UTC) - datetime.timedelta(hours=1)  # clocks differ
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begin)
    return builder.not_valid_after(begin + datetime.timedelta(days=days, hours=1))


def _usage(*, is_authority: bool) -> Any:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not is_authority, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=is_authority, crl_sign=is_authority, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _key() -> "EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _sha256() -> Any:
    from cryptography.hazmat.primitives.hashes import SHA256

    return SHA256()


def _pem(certificate: "Certificate") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _pem_key(key: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(directory: Path, files: dict[str, bytes]) -> None:
    """Each in one step, keys for their owner alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, content in files.items():
            mode = 0o600 if name.endswith(".key") else 0o644
            path = directory / f".{name}.new"
            path.unlink(missing_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            path.rename(directory / name)
    except OSError as error:
        raise StateUnavailable(f"{directory} cannot be written: {error.strerror}", "--out DIR") from None
