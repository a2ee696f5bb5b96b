import json

import pytest

from attacca.errors import BadImage
from attacca.images.core.manifests import (
    DOCKER_LIST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Index,
    Manifest,
    Platform,
    choose,
    compression,
    read,
    read_configuration,
)
from tests.cases import each

SHA = "sha256:" + "0a" * 32
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": SHA, "size": 2}


def said(**more: object) -> bytes:
    return json.dumps({"schemaVersion": 2, "config": CONFIG, "layers": [], **more}).encode()


def test_what_is_read() -> None:
    manifest = read(said(mediaType=OCI_MANIFEST))
    assert isinstance(manifest, Manifest)
    assert manifest.parts == (manifest.config,)
    index = read(json.dumps({"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [CONFIG, CONFIG]}).encode())
    assert isinstance(index, Index)
    assert len(index.parts) == 1


@each(
    "data, kind, complaint",
    [
        (b"{}", "", "schema 0"),
        (b"{", "", "truncated"),
        (b'{"a":' * 100_000, "", "nested too deeply"),
        (said(schemaVersion=1), "", "schema 1"),
        (said(), "text/html", "no manifest that is known"),
        (said(mediaType=OCI_INDEX), OCI_MANIFEST, "says that it is"),
        (said(layers=[{**CONFIG, "digest": "sha256:../../etc/passwd"}]), "", "digest"),
        (said(layers=[{**CONFIG, "size": -1}]), "", "size"),
        (said(layers=[CONFIG] * 600), "", "length <= 512"),
        (json.dumps({"schemaVersion": 2, "manifests": [CONFIG] * 1001}).encode(), OCI_INDEX, "length <= 1000"),
        (b" " * (5 << 20), "", "may have"),
    ],
)
def test_what_is_refused(data: bytes, kind: str, complaint: str) -> None:
    with pytest.raises(BadImage, match=complaint):
        read(data, kind)


def of(platform: Platform | None) -> Descriptor:
    return Descriptor(OCI_MANIFEST, SHA, 1, platform)


def test_the_image_of_a_platform_is_chosen() -> None:
    arm, arm7, amd = Platform("arm", "linux"), Platform("arm", "linux", "v7"), Platform("amd64", "linux")
    unknown = Platform("unknown", "unknown")
    index = Index((of(unknown), of(arm), of(arm7), of(amd)))
    assert choose(index, amd).platform == amd
    assert choose(index, arm7).platform == arm7
    assert choose(index, Platform("arm", "linux", "v6")).platform == arm
    assert choose(Index((of(unknown), of(None))), amd).platform is None
    with pytest.raises(BadImage, match="no image for linux/s390x among linux/amd64, linux/arm, linux/arm/v7"):
        choose(index, Platform("s390x", "linux"))


def test_how_a_layer_is_compressed() -> None:
    start = "application/vnd.oci.image.layer.v1.tar"
    kinds = (start, start + "+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip")
    assert [compression(Descriptor(kind, SHA, 1)) for kind in kinds] == ["", "gzip", "gzip"]
    for kind, complaint in ((start + "+zstd", "gzip is the only"), ("text/plain", "is not known here")):
        with pytest.raises(BadImage, match=complaint):
            compression(Descriptor(kind, SHA, 1))


def test_a_configuration() -> None:
    found = read_configuration(b'{"os": "linux", "rootfs": {"type": "layers", "diff_ids": ["%s"]}}' % SHA.encode())
    assert (found.os, found.rootfs.diff_ids) == ("linux", (SHA,))
    with pytest.raises(BadImage, match="diff_ids"):
        read_configuration(b'{"rootfs": {"diff_ids": ["sha256:x"]}}')
