"""How images are called: digests, repositories, tags, and whole references such as `registry.example/team/fn:v1`."""

import hashlib
import re

import msgspec

from attacca.errors import BadRequest

SHA256 = "sha256:"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
HEX_256 = 64  # digits
ALGORITHM = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+")  # any digest, also such as we do not compute
PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{PART}(?:/{PART})*")
REPOSITORY_MOST = 255
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
HOST = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
DOCKER = "docker.io"
LATEST = "latest"


class Reference(msgspec.Struct, frozen=True):
    """Where an image is to be had, and which one. With a digest, the tag says nothing more."""

    host: str
    repository: str
    tag: str
    digest: str = ""

    def __str__(self) -> str:
        return f"{self.host}/{self.repository}" + (f"@{self.digest}" if self.digest else f":{self.tag}")

    @property
    def which(self) -> str:
        """What a registry is asked for."""
        return self.digest or self.tag


def is_digest(text: str) -> bool:
    return DIGEST.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    return len(text) <= REPOSITORY_MOST and REPOSITORY.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    return TAG.fullmatch(text) is not None


def digest_of(data: bytes, like: str = SHA256) -> str:
    """By the algorithm of `like`."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"


def digits(digest: str) -> str:
    """By which it is filed: the algorithm follows from how many there are."""
    return digest.partition(":")[2]


def filed(digits: str) -> str:
    return f"{SHA256 if len(digits) == HEX_256 else 'sha512:'}{digits}"


def parse(text: str) -> Reference:
    """`fn`, `fn:v1`, `host:5000/team/fn@sha256:...`. A first part with a dot, a colon or of the name `localhost` is a
    host, as Docker has it; without one it is Docker Hub.

    Raises:
        BadRequest: it is the name of no image.
    """
    rest, at, digest = text.partition("@")
    first, slash, behind = rest.partition("/")
    host = DOCKER
    if slash and ("." in first or ":" in first or first == "localhost"):
        host, rest = first, behind
    repository, colon, tag = rest.partition(":")
    if host == DOCKER and "/" not in repository:
        repository = f"library/{repository}"
    is_sound = is_repository(repository) and HOST.fullmatch(host) is not None
    if not is_sound or (colon and not is_tag(tag)) or (at and not is_digest(digest)):
        raise BadRequest(f"{text[:300]!r} is the name of no image", "write HOST/NAME:TAG or HOST/NAME@sha256:...")
    return Reference(host, repository, tag or LATEST, digest)
