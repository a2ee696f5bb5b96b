"""What is done about a registry's answers: when to ask again, how to show who asks, and what is wanted next."""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from attacca.errors import AttaccaError, BadImage, Conflict, NotFound, Overloaded, Unauthorized, Unreachable
from attacca.images.core.names import DOCKER, Reference
from attacca.kernel.access import is_local

TRIES = 6
FIRST_S, MOST_S = 0.5, 20.0
AGAIN = (408, 425, 429, 500, 502, 503, 504)
FIELD = re.compile(r'([a-zA-Z_]{1,20})="([^"]{0,1000})"')
HUB = "registry-1.docker.io"
LOGIN = "docker login, or see whether the image is there"


class Again(msgspec.Struct, frozen=True):
    """Ask once more, after so long."""

    after_s: float


class Challenge(msgspec.Struct, frozen=True):
    """Where a token is to be had, and for what."""

    realm: str
    service: str = ""
    scope: str = ""


def again(tries: int, status: int, fields: Mapping[str, str], most: int = TRIES) -> Again | None:
    """After so many tries of `most`, each pause twice as long as the one before; or as long as the registry says. None:
    no more. A status of 0: it broke off, or did not answer."""
    if tries >= most or (status and status not in AGAIN):
        return None
    told = fields.get("retry-after", "")
    wanted_s = float(told) if told.isdecimal() and len(told) < 6 else FIRST_S * 2 ** (tries - 1)
    return Again(min(wanted_s, MOST_S))


def failure(reference: Reference, what: str, status: int, said: str) -> AttaccaError:
    """What an answer that is none stands for."""
    text = f"{reference.host} answers {status} for {what}" + (f": {said[:200]}" if said else "")
    match status:
        case 401 | 403:
            return Unauthorized(text, LOGIN)
        case 404:
            return NotFound(text, "check its name and its tag")
        case 409 | 416:
            return Conflict(text, "try again")
        case 429 | 503:
            return Overloaded(text, "try again in a moment")
        case 0:
            return Unreachable(f"{reference.host} does not answer: {said[:200]}", "check its name, and the network")
        case _:
            return BadImage(text, "correct it, and push it again")


def challenge(field: str, *, is_plain: bool) -> Challenge | None:
    """Of WWW-Authenticate. What is known of who asks is told to nobody who is not spoken to over TLS, unless the
    registry itself is not.

    Raises:
        Unauthorized: it names a place that must not be asked.
    """
    scheme, _, rest = field.partition(" ")
    if scheme.lower() != "bearer":
        return None
    told = {name.lower(): value for name, value in FIELD.findall(rest[:4096])}
    realm = told.get("realm", "")
    allowed = ("https", "http") if is_plain else ("https",)
    if urlsplit(realm).scheme not in allowed or not urlsplit(realm).hostname:
        raise Unauthorized(f"tokens are to be had at {realm[:100]!r}, which is not asked", LOGIN)
    return Challenge(realm, told.get("service", ""), told.get("scope", ""))


def place(host: str) -> tuple[str, bool]:
    """Where a host's registry is asked, and whether without TLS: that only on this machine."""
    if host == DOCKER:
        return HUB, False
    return host, is_local(host)


def rest(have: int, size: int) -> str:
    """The Range of what is missing."""
    return f"bytes={have}-{size - 1}"


def expect_part(status: int, content_range: str, have: int, size: int) -> bool:
    """Does the answer go on where we are? False: it begins anew.

    Raises:
        BadImage: it is another part.
    """
    if status == 200:
        return False
    if content_range != f"bytes {have}-{size - 1}/{size}":
        raise BadImage(f"the registry was asked for {rest(have, size)}, and sends {content_range[:60]!r}", "try again")
    return True
