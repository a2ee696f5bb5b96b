"""Registries that stand in for others: what is to be had from one is asked of its mirrors first. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from attacca.errors import BadConfig
from attacca.images.core.names import HOST, Reference, is_repository

PLAIN = "http://"
HINT = "--mirror docker.io=mirror.example:5000, or docker.io=mirror.example/hub"


class Mirror(msgspec.Struct, frozen=True):
    """`of`: the host that it stands in for. `prefix` comes before the names of repositories, where it keeps several
    registries apart. `is_plain`: without TLS."""

    of: str
    host: str
    prefix: str = ""
    is_plain: bool = False

    def __str__(self) -> str:
        return f"{PLAIN if self.is_plain else ''}{self.host}{f'/{self.prefix}' if self.prefix else ''}"

    def reference(self, wanted: Reference) -> Reference:
        """Where it has what is wanted."""
        name = f"{self.prefix}/{wanted.repository}" if self.prefix else wanted.repository
        return replace(wanted, host=self.host, repository=name)


def read(words: Sequence[str]) -> tuple[Mirror, ...]:
    """`HOST=MIRROR` each; of one host in the order in which they are tried.

    Raises:
        BadConfig: one is not so.
    """
    return tuple(_read(word) for word in words)


def _read(word: str) -> Mirror:
    whose, equals, rest = word.partition("=")
    host, _, prefix = rest.removeprefix(PLAIN).rstrip("/").partition("/")
    are_hosts = HOST.fullmatch(whose) is not None and HOST.fullmatch(host) is not None
    if not equals or not are_hosts or (prefix and not is_repository(prefix)):
        raise BadConfig(f"{word[:200]!r} names no mirror", HINT)
    return Mirror(whose, host, prefix, rest.startswith(PLAIN))


def of(reference: Reference, mirrors: Sequence[Mirror]) -> tuple[Mirror, ...]:
    return tuple(mirror for mirror in mirrors if mirror.of == reference.host)
