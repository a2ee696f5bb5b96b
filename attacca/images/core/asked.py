"""What a client of the registry asks for, by the OCI's distribution specification 1.1: read from the request's head.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

import msgspec

from attacca.images.core.names import ALGORITHM, is_digest, is_repository, is_tag

RANGE = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
BYTES = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
UPLOAD = re.compile(r"[0-9a-f]{32}")
PAGE_MOST = 1000
PATH_MOST = 1024


class Refused(Exception):
    """With one of the specification's codes, or one that clients know from Docker's registry."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Ping(msgspec.Struct, frozen=True):
    """Is this a registry?"""


class Catalogue(msgspec.Struct, frozen=True):
    """The repositories, after `last`."""

    most: int
    last: str


class Tags(msgspec.Struct, frozen=True):
    repository: str
    most: int
    last: str


class Referrers(msgspec.Struct, frozen=True):
    """What is about the manifest of this digest."""

    repository: str
    digest: str
    artifact_type: str


class GetManifest(msgspec.Struct, frozen=True):
    repository: str
    which: str  # a tag or a digest


class PutManifest(msgspec.Struct, frozen=True):
    repository: str
    which: str
    media_type: str
    tags: tuple[str, ...] = ()  # beside, where it comes by digest


class DeleteManifest(msgspec.Struct, frozen=True):
    repository: str
    which: str


class Part(NamedTuple):
    """From `first` to `last`, that one too; a `first` of None: so many of the last bytes."""

    first: int | None
    last: int | None


class GetBlob(msgspec.Struct, frozen=True):
    repository: str
    digest: str
    part: Part | None = None


class DeleteBlob(msgspec.Struct, frozen=True):
    repository: str
    digest: str


class Begin(msgspec.Struct, frozen=True):
    """A blob is to come; or it is in another repository already (`mount`, `source`), or it is all here (`digest`)."""

    repository: str
    mount: str = ""
    source: str = ""
    digest: str = ""


class Append(msgspec.Struct, frozen=True):
    """More of it. `first`: where it begins, if that is said."""

    repository: str
    upload: str
    first: int | None


class Finish(msgspec.Struct, frozen=True):
    """The last of it, perhaps nothing, and what all of it is."""

    repository: str
    upload: str
    digest: str
    first: int | None


class Progress(msgspec.Struct, frozen=True):
    """How much of it is here?"""

    repository: str
    upload: str


class Cancel(msgspec.Struct, frozen=True):
    repository: str
    upload: str


Kept = Catalogue | Tags | Referrers | GetManifest | DeleteManifest | GetBlob | DeleteBlob  # of what is here already
Asked = Ping | PutManifest | Begin | Append | Finish | Progress | Cancel | Kept


class Request(msgspec.Struct, frozen=True):
    """`fields` have lower-case names."""

    method: str
    path: str
    query: str = ""
    fields: Mapping[str, str] = {}

    @property
    def is_reading(self) -> bool:
        return self.method in ("GET", "HEAD")

    def said(self) -> dict[str, str]:
        """Its query; the last of a name holds."""
        return dict(parse_qsl(self.query[:PATH_MOST], keep_blank_values=True, max_num_fields=100))


def read(request: Request) -> Asked:
    """
    Raises:
        Refused: there is nothing of the kind.
    """
    parts = request.path.removeprefix("/v2").strip("/").split("/")
    if parts == [""]:
        return _ping(request)
    if len(request.path) > PATH_MOST:
        raise Refused(404, "NAME_INVALID", f"the path has {len(request.path)} characters")
    if parts == ["_catalog"] and request.is_reading:
        return Catalogue(*_page(request))
    for length, words, reader in READERS:
        if parts[-length:][: len(words)] == list(words) and len(parts) > length:
            return reader(request, _repository(parts[:-length]), parts[-1])
    raise Refused(404, "UNSUPPORTED", f"there is nothing at {request.path}")


def _ping(request: Request) -> Ping:
    if not request.is_reading:
        raise _unsupported(request)
    return Ping()


def _unsupported(request: Request) -> Refused:
    return Refused(405, "UNSUPPORTED", f"{request.method} is not for {request.path}")


def _repository(parts: list[str]) -> str:
    name = "/".join(parts)
    if not is_repository(name):
        raise Refused(400, "NAME_INVALID", f"{name[:100]!r} is the name of no repository")
    return name


def _digest(text: str) -> str:
    if not is_digest(text):
        known = ALGORITHM.fullmatch(text) is not None
        what = "is of an algorithm that is not known here" if known else "is no digest"
        raise Refused(400, "DIGEST_INVALID", f"{text[:100]!r} {what}")
    return text


def _page(request: Request) -> tuple[int, str]:
    said = request.said()
    text = said.get("n", str(PAGE_MOST))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Refused(400, "PAGINATION_NUMBER_INVALID", f"n is {text[:20]!r}, and is to be a number")
    return min(int(text), PAGE_MOST), said.get("last", "")


def _tags(request: Request, repository: str, _: str) -> Asked:
    if not request.is_reading:
        raise _unsupported(request)
    return Tags(repository, *_page(request))


def _referrers(request: Request, repository: str, digest: str) -> Asked:
    if not request.is_reading:
        raise _unsupported(request)
    return Referrers(repository, _digest(digest), request.said().get("artifactType", ""))


def _manifest(request: Request, repository: str, which: str) -> Asked:
    if not is_tag(which):
        _digest(which)
    match request.method:
        case "GET" | "HEAD":
            return GetManifest(repository, which)
        case "PUT":
            tags = [value for name, value in parse_qsl(request.query[:PATH_MOST], max_num_fields=100) if name == "tag"]
            if not all(map(is_tag, tags)):
                raise Refused(400, "TAG_INVALID", "one of the tags is none")
            return PutManifest(repository, which, request.fields.get("content-type", ""), tuple(tags))
        case "DELETE":
            return DeleteManifest(repository, which)
        case _:
            raise _unsupported(request)


def _blob(request: Request, repository: str, digest: str) -> Asked:
    match request.method:
        case "GET" | "HEAD":
            return GetBlob(repository, _digest(digest), _wanted(request))
        case "DELETE":
            return DeleteBlob(repository, _digest(digest))
        case _:
            raise _unsupported(request)


def _wanted(request: Request) -> Part | None:
    """One that is none, or several, stands for all of it, as HTTP has it."""
    found = BYTES.fullmatch(request.fields.get("range", ""))
    if found is None or request.method == "HEAD":
        return None
    first, last = (int(text) if text else None for text in found.groups())
    return None if first is None and last is None else Part(first, last)


def _begin(request: Request, repository: str, _: str) -> Asked:
    if request.method != "POST":
        raise _unsupported(request)
    said = request.said()
    mount, digest = said.get("mount", ""), said.get("digest", "")
    for one in (mount, digest):
        if one:
            _digest(one)
    source = said.get("from", "")
    return Begin(repository, mount, source if is_repository(source) else "", digest)


def _upload(request: Request, repository: str, upload: str) -> Asked:
    if UPLOAD.fullmatch(upload) is None:
        raise Refused(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
    match request.method:
        case "GET" | "HEAD":
            return Progress(repository, upload)
        case "PATCH":
            return Append(repository, upload, _first(request))
        case "PUT":
            return Finish(repository, upload, _digest(request.said().get("digest", "")), _first(request))
        case "DELETE":
            return Cancel(repository, upload)
        case _:
            raise _unsupported(request)


def _first(request: Request) -> int | None:
    text = request.fields.get("content-range", "")
    if not text:
        return None
    found = RANGE.fullmatch(text)
    length = request.fields.get("content-length", "")
    if found is None or (length.isdecimal() and int(found[2]) - int(found[1]) + 1 != int(length)):
        raise Refused(416, "BLOB_UPLOAD_INVALID", f"Content-Range is {text[:50]!r}, which the body is not")
    return int(found[1])


READERS = (  # how many parts of the path are behind the repository's name, with which they begin, and who reads them
    (3, ("blobs", "uploads"), _upload),
    (2, ("blobs", "uploads"), _begin),
    (2, ("tags", "list"), _tags),
    (2, ("manifests",), _manifest),
    (2, ("blobs",), _blob),
    (2, ("referrers",), _referrers),
)


def credentials(authorization: str) -> str:
    """As `kernel.access` wants to see them: Docker's password is a token."""
    scheme, _, told = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        password = base64.b64decode(told.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeError):
        return authorization
    return f"Bearer {password}"
