import asyncio
import json
import os
import tarfile
from pathlib import Path

import pytest

from attacca.errors import BadImage, NotFound
from attacca.images.blobs import Blobs
from attacca.images.core.manifests import OCI_INDEX
from attacca.images.shelves import Shelves
from attacca.images.store import ImageLimits
from tests.images.stage import directory, entry, layer, parts, push, sha, store, symlink


def test_an_image_becomes_a_root(tmp_path: Path) -> None:
    images = store(tmp_path)
    digest = push(images, "fn", layer(entry("bin/run", b"#!", mode=0o755)), layer(entry("a", b"1")))

    async def twice() -> None:
        first, second = await asyncio.gather(images.rootfs(digest), images.rootfs(digest))
        assert first == second
        assert (first.digest, first.config.command) == (digest, ("/bin/run",))
        assert sorted(os.listdir(first.rootfs)) == ["a", "bin"]

    asyncio.run(twice())
    assert list((tmp_path / "tmp").iterdir()) == []
    assert repr(images) == "<ImageStore 0 images unpacked now>"


def test_of_an_index_this_machines(tmp_path: Path) -> None:
    images = store(tmp_path)
    digest = push(images, "fn", layer(entry("a")))
    told = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": f"sha256:{digest}", "size": 1}
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [told]}
    found = images.put("fn", json.dumps(index).encode(), tags=("all",))
    assert images.manifest(found.descriptor.digest)[0] == f"sha256:{digest}"
    assert images.find("fn", "all") == found
    with pytest.raises(NotFound, match="was not sent"):
        images.put("other", json.dumps(index).encode())


def test_what_is_missing_or_damaged_is_told_and_nothing_half_made_is_left(tmp_path: Path) -> None:
    images = store(tmp_path)
    _, manifest = parts(layer(entry("a")))
    with pytest.raises(NotFound, match="was not sent"):
        images.put("fn", manifest)
    digest = push(images, "fn", layer(entry("../a")))
    with pytest.raises(BadImage, match="climbs out"):
        asyncio.run(images.rootfs(digest))
    images.blobs.remove(sha(parts(layer(entry("../a")))[0][1]))
    with pytest.raises(NotFound, match="does not lie here"):
        asyncio.run(images.rootfs(digest))
    assert list((tmp_path / "images" / "rootfs").iterdir()) == list((tmp_path / "tmp").iterdir()) == []


def test_where_everybody_may_write_is_everybodys(tmp_path: Path) -> None:
    images = store(tmp_path)
    closed = push(images, "closed", layer(directory("tmp", 0o755)))
    leads = push(images, "leads", layer(directory("etc", 0o755), symlink("tmp", "/etc")))

    async def modes() -> list[int]:
        roots = [Path((await images.rootfs(one)).rootfs) for one in (closed, leads)]
        return [os.stat(place).st_mode & 0o7777 for place in (roots[0] / "tmp", roots[1] / "etc")]

    assert asyncio.run(modes()) == [0o1777, 0o755]


def test_what_no_disk_takes_is_the_images_fault(tmp_path: Path) -> None:
    info = tarfile.TarInfo("/".join(["a" * 31] * 127))
    images = store(tmp_path)
    with pytest.raises(BadImage, match="File name too long"):
        asyncio.run(images.rootfs(push(images, "fn", layer(info.tobuf(tarfile.PAX_FORMAT)))))


def test_who_makes_room(tmp_path: Path) -> None:
    images = store(tmp_path, ImageLimits(bytes=6000))
    old, new = (push(images, name, layer(entry("a", os.urandom(2000)))) for name in ("old", "new"))
    asyncio.run(images.rootfs(old))
    lost = images.blobs.put(b"lost")
    os.utime(images.shelves.directory / "old" / "manifests" / old, (1, 1))
    os.utime(images.blobs.path(lost), (1, 1))
    assert images.make_room([old, new], now=10_000, wanted_bytes=5000) < 5000
    assert images.blobs.size(lost) is None
    assert images.make_room([new], now=10_000, wanted_bytes=3000) >= 3000
    assert images.find("old", "latest") is None
    assert images.find("new", "latest") is not None
    assert list((tmp_path / "images" / "rootfs").iterdir()) == []


def test_a_blob_is_there_once_it_is_whole(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs", tmp_path / "tmp")
    blobs.open()
    draft = blobs.draft()
    draft.write(b"half")
    assert repr(draft) == "<Draft 4 bytes>"
    with pytest.raises(BadImage, match="what was sent as"):
        draft.keep(sha(b"whole"))
    assert [*blobs.all(), *(tmp_path / "tmp").iterdir()] == []
    assert blobs.read(blobs.put(b"whole"), 5) == b"whole"
    with pytest.raises(BadImage, match="more than 4 bytes"):
        blobs.read(sha(b"whole"), 4)
    assert repr(blobs).startswith("<Blobs ")
    assert repr(Shelves(tmp_path, tmp_path)).startswith("<Shelves ")
