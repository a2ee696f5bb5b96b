"""Values sealed by AES-256-GCM, each with a nonce of its own and bound to its name, under a key that lies in a file.

Sealed is: which key (the beginning of its digest), the nonce, then the value with its tag.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from attacca.errors import StateCorrupt, StateUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY, MARK, NONCE, TAG = 32, 8, 12, 16  # bytes
FILE_MOST = 4096  # bytes of a key file, whatever it is


class SealedVault:
    """`path` holds the key in hexadecimal. It is read when it is first needed, and the cipher is imported then."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key = b""

    def __repr__(self) -> str:
        return f"<SealedVault {self._path}>"

    def seal(self, name: str, value: bytes, *, is_first: bool) -> bytes:
        key, nonce = self._read(may_make=is_first), secrets.token_bytes(NONCE)
        return _mark(key) + nonce + _cipher(key).encrypt(nonce, value, name.encode())

    def unseal(self, name: str, sealed: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        if len(sealed) < MARK + NONCE + TAG:
            raise self._damaged(name)
        key = self._read(may_make=False)
        if sealed[:MARK] != _mark(key):
            raise StateCorrupt(
                f"the secret {name} was sealed under another key than that in {self._path}, or is damaged",
                f"bring that key back; or set the secret again: attacca secret set {name}",
            )
        try:
            return _cipher(key).decrypt(sealed[MARK : MARK + NONCE], sealed[MARK + NONCE :], name.encode())
        except InvalidTag:
            raise self._damaged(name) from None

    def _damaged(self, name: str) -> StateCorrupt:
        return StateCorrupt(
            f"the secret {name} is damaged in the state database", f"set it again: attacca secret set {name}"
        )

    def _read(self, *, may_make: bool) -> bytes:
        if not self._key:
            with _told(self._path):
                if may_make and not self._path.exists():
                    _make(self._path)
                self._key = self._decoded()
        return self._key

    def _decoded(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                key = bytes.fromhex(file.read(FILE_MOST).decode("ascii"))
        except FileNotFoundError:
            raise StateCorrupt(
                f"the key of the secrets, {self._path}, is gone",
                "bring it back; or delete the secrets, and set them again: attacca secret list",
            ) from None
        except ValueError:
            key = b""
        if len(key) != KEY:
            raise StateCorrupt(
                f"{self._path} holds no key: {KEY} bytes in hexadecimal",
                "restore it from a backup; openssl rand -hex 32 makes one",
            )
        return key


def _make(path: Path) -> None:
    """Whole or not at all, and for its owner alone; of two who make one at once, the first has made it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(secrets.token_hex(KEY).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        unfinished.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateUnavailable(
            f"the key of the secrets, {path}, cannot be read or made: {error.strerror}", "check its owner and mode"
        ) from None


def _mark(key: bytes) -> bytes:
    return sha256(b"attacca secret.key" + key).digest()[:MARK]


def _cipher(key: bytes) -> "AESGCM":
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(key)
