import os
import tarfile
from pathlib import Path

import pytest

from attacca.errors import BadImage, NotFound
from attacca.images.layout import load, write
from attacca.io.unpacking import unpack
from tests.images.stage import entry, layer, push, saved, store, symlink, tarred


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    images = store(tmp_path)
    digest = f"sha256:{push(images, 'fn', layer(entry('a', b'1')))}"
    file = tmp_path / "image.tar"
    for _ in range(2):
        before = file.read_bytes() if file.exists() else None
        with file.open("wb") as target:
            write(target, images.blobs, digest, images.manifest(digest)[1], ["localhost/fn:v1"])
        assert before in (None, file.read_bytes())
    assert len(tarred(file)) == 3 + 3
    other = store(tmp_path / "other")
    assert load(file, other, "fn", "v1").digest == digest
    with tarfile.open(file) as archive:
        unpack(archive, tmp_path / "layout")
    again = store(tmp_path / "again")
    assert load(tmp_path / "layout", again, "fn", "v1").digest == digest
    found = again.find("fn", "v1")
    assert found is not None
    os.unlink(tmp_path / "layout" / "blobs" / "sha256" / found.parts[-1].removeprefix("sha256:"))
    with pytest.raises(NotFound, match="a part of the image"):
        load(tmp_path / "layout", store(tmp_path / "third"), "fn", "v1")


def test_what_docker_saved(tmp_path: Path) -> None:
    file = tmp_path / "saved.tar"
    file.write_bytes(saved(layer(entry("a", b"1"))))
    images = store(tmp_path)
    digest = load(file, images, "fn", "latest").digest
    assert load(file, images, "fn", "latest").digest == digest
    assert len(images.manifest(digest)[1].layers) == 1


def test_what_is_no_image_is_told(tmp_path: Path) -> None:
    images, file = store(tmp_path), tmp_path / "file"
    with pytest.raises(NotFound, match="there is no"):
        load(file, images, "fn", "v1")
    for data, complaint in (
        (b"rubbish", "cannot be read"),
        (layer(entry("x")), "it is no image"),
        (layer(entry("../index.json", b"{}")), "climbs out"),
        (layer(entry("index.json", b'{"schemaVersion": 2, "manifests": []}')), "there are 0 images"),
        (layer(symlink("index.json", "/etc/passwd")), "it is no image"),
        (layer(entry("manifest.json", b'[{"Config": "c", "Layers": []}]')), "a part of the image"),
    ):
        file.write_bytes(data)
        with pytest.raises((BadImage, NotFound), match=complaint):
            load(file, images, "fn", "v1")
