"""Tokens of the admin API: who made them and when; of the secret itself only a digest is kept."""

import hmac
import re
from collections.abc import Iterable

import msgspec

from attacca.errors import BadRequest
from attacca.kernel.access import digest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,62}")


class Token(msgspec.Struct, frozen=True):
    id: str
    name: str
    created_at: float  # seconds since 1970
    sha256: str


def is_name(name: str) -> bool:
    """It may be left out."""
    return not name or NAME.fullmatch(name) is not None


def make(token_id: str, secret: str, name: str, now: float) -> Token:
    """
    Raises:
        BadRequest: the name is not one.
    """
    if not is_name(name):
        raise BadRequest(
            f"{name[:80]!r} cannot be the name of a token", "letters, digits, spaces and . _ @ -, up to 63"
        )
    return Token(token_id, name, now, digest(secret))


def match(tokens: Iterable[Token], secret: str) -> Token | None:
    """The token that the secret belongs to. Looks at all of them, so that time tells nothing."""
    shown, found = digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.sha256, shown):
            found = token
    return found
