"""Manifests, indexes and configurations of images, as the OCI and Docker write them: read once, typed and bounded."""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from attacca.errors import BadImage
from attacca.images.core.names import DIGEST

MANIFEST_BYTES = 4 << 20  # of one manifest or index: what registries take, too
CONFIG_BYTES = 4 << 20
LAYERS_MOST = 512
CHILDREN_MOST = 1000  # of an index
DEEPEST = 4  # indexes in indexes

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
ELSEWHERE = re.compile(r"application/vnd\.(?:oci\.image\.layer\.nondistributable\.|docker\.image\.rootfs\.foreign\.).*")
TAR = re.compile(r"application/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar|docker\.image\.rootfs\..*)")
Digest = Annotated[str, msgspec.Meta(pattern=f"^(?:{DIGEST.pattern})(?!\\n)$")]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Text = Annotated[str, msgspec.Meta(max_length=64 << 10)]
T = TypeVar("T")
HINT = "push an image as docker, buildah or attacca build make it"


class Platform(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is meant, by its digest."""

    media_type: str
    digest: Digest
    size: Size
    platform: Platform | None = None
    artifact_type: str = ""
    annotations: dict[str, Text] = {}


def is_elsewhere(part: Descriptor) -> bool:
    """Need it not be pushed? Such layers come from where their makers have them."""
    return ELSEWHERE.fullmatch(part.media_type) is not None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One image, for one platform."""

    config: Descriptor
    layers: Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=LAYERS_MOST)]
    schema_version: int = 2
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, Text] = {}

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        """Of what it consists, each once."""
        return tuple({one.digest: one for one in (self.config, *self.layers)}.values())


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """Several images for several platforms, or other indexes."""

    manifests: Annotated[tuple[Descriptor, ...], msgspec.Meta(max_length=CHILDREN_MOST)]
    schema_version: int = 2
    media_type: str = ""
    artifact_type: str = ""
    subject: Descriptor | None = None
    annotations: dict[str, Text] = {}

    @property
    def parts(self) -> tuple[Descriptor, ...]:
        return tuple({one.digest: one for one in self.manifests}.values())


class RootFs(msgspec.Struct, frozen=True):
    diff_ids: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=LAYERS_MOST)] = ()


Words = Annotated[list[Text], msgspec.Meta(max_length=1000)]


class Execution(msgspec.Struct, frozen=True, rename="pascal"):
    """What runs in a container of it. Docker writes null for what is not there."""

    user: Text | None = ""
    exposed_ports: dict[str, Any] | None = None
    env: Words | None = None
    entrypoint: Words | None = None
    cmd: Words | None = None
    working_dir: Text | None = ""
    labels: dict[str, Text] | None = None
    stop_signal: Text | None = ""


class Configuration(msgspec.Struct, frozen=True):
    architecture: str = ""
    os: str = ""
    variant: str = ""
    rootfs: RootFs = RootFs()
    config: Execution | None = None


def read(data: bytes, media_type: str = "") -> Manifest | Index:
    """`media_type`: what it is said to be; what it says itself must be the same.

    Raises:
        BadImage: it is neither a manifest nor an index.
    """
    if len(data) > MANIFEST_BYTES:
        raise BadImage(f"the manifest has {len(data)} bytes, and may have {MANIFEST_BYTES}", HINT)
    said = _decode(data, _Said)
    kind = said.media_type or media_type or (OCI_INDEX if bytes(said.manifests) else OCI_MANIFEST)
    if media_type and said.media_type not in ("", media_type):
        raise BadImage(f"a manifest that is sent as {media_type[:100]} says that it is {said.media_type[:100]}", HINT)
    if said.schema_version != 2:
        raise BadImage(f"a manifest of schema {said.schema_version} is not taken", "push it with a newer tool")
    if kind in INDEXES:
        return _decode(data, Index)
    if kind in MANIFESTS:
        return _decode(data, Manifest)
    raise BadImage(f"{kind[:100]!r} is no manifest that is known here", HINT)


NOTHING = msgspec.Raw()


class _Said(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    manifests: msgspec.Raw = NOTHING


def read_configuration(data: bytes) -> Configuration:
    """
    Raises:
        BadImage: it is none.
    """
    if len(data) > CONFIG_BYTES:
        raise BadImage(f"the configuration has {len(data)} bytes, and may have {CONFIG_BYTES}", HINT)
    return _decode(data, Configuration)


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadImage(f"{kind.__name__.strip('_').lower()}: {error}", HINT) from None
    except RecursionError:
        raise BadImage("it is nested too deeply", HINT) from None


def choose(index: Index, wanted: Platform) -> Descriptor:
    """The first for this platform: of the same variant, or else of any. What is for no platform (attestations) is
    passed by, unless there is nothing else.

    Raises:
        BadImage: there is none; it says which there are.
    """
    fitting = [one for one in index.manifests if one.platform is not None and _fits(one.platform, wanted)]
    exact = [one for one in fitting if one.platform is not None and one.platform.variant == wanted.variant]
    unsaid = [one for one in index.manifests if one.platform is None]
    for candidates in (exact, fitting, unsaid):
        if candidates:
            return candidates[0]
    there = sorted({str(one.platform) for one in index.manifests})
    raise BadImage(f"there is no image for {wanted} among {', '.join(there)[:300] or 'none'}", "push one for it")


def _fits(platform: Platform, wanted: Platform) -> bool:
    return (platform.os, platform.architecture) == (wanted.os, wanted.architecture)


def compression(layer: Descriptor) -> str:
    """gzip, or none.

    Raises:
        BadImage: it is compressed in another way, or no layer.
    """
    kind = layer.media_type
    if TAR.fullmatch(kind.partition("+")[0]) is None:
        raise BadImage(f"a layer of the kind {kind[:100]!r} is not known here", HINT)
    if kind.endswith(("+gzip", ".tar.gzip")):
        return "gzip"
    if kind.endswith(".tar"):
        return ""
    raise BadImage(f"a layer is {kind[:100]!r}, and gzip is the only compression taken here", "push it as gzip")
