import asyncio
import json
import tempfile
from pathlib import Path

import pytest

from attacca.errors import StartFailed
from attacca.images.core.manifests import OCI_INDEX, OCI_MANIFEST
from attacca.images.store import here
from attacca.worker.runtime.image_supplies import ImageSupplies
from tests.images.stage import entry, layer, push, store


class Control:
    """Gives what it has; `lies` once."""

    def __init__(self, path: Path) -> None:
        self.images, self.given = store(path), list[str]()
        self.lies = False
        self._tmp = path / "given"
        self._tmp.mkdir()

    async def download(self, digest: str) -> Path:
        self.given.append(digest)
        return self._written(digest)

    def _written(self, digest: str) -> Path:
        path = Path(tempfile.mkdtemp(dir=self._tmp), "blob")
        path.write_bytes(b"a lie" if self.lies else (self.images.blobs.directory / digest).read_bytes())
        return path


def test_an_image_comes_blob_by_blob_and_what_is_there_does_not_come_again(tmp_path: Path) -> None:
    control, images = Control(tmp_path / "control"), store(tmp_path / "worker")
    base = layer(entry("a", b"1"))
    first = push(control.images, "fn", base)
    second = push(control.images, "fn", base, layer(entry("b", b"2")))
    supplies = ImageSupplies(images, control.download, lambda: 0.0)

    async def story() -> None:
        assert not supplies.has(first)
        await asyncio.gather(*(supplies.bring(first, lambda: [first]) for _ in range(3)))
        assert supplies.has(first)
        assert len(control.given) == 3
        await supplies.bring(second, lambda: [first])
        assert len(control.given) == 3 + 3
        assert (await images.rootfs(second)).digest == second
        assert repr(supplies) == "<ImageSupplies 2 whole, 0 on their way>"
        await supplies.close()

    asyncio.run(story())


def test_of_an_index_this_machines_comes_alone(tmp_path: Path) -> None:
    control, images = Control(tmp_path / "control"), store(tmp_path / "worker")
    mine, other = push(control.images, "fn", layer(entry("a"))), push(control.images, "fn", layer(entry("b")))
    platforms = [{"os": "linux", "architecture": here().architecture}, {"os": "linux", "architecture": "none"}]
    told = [
        {"mediaType": OCI_MANIFEST, "digest": f"sha256:{digest}", "size": 1, "platform": platform}
        for digest, platform in zip((mine, other), platforms, strict=True)
    ]
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": told}).encode()
    index = control.images.put("fn", data).descriptor.digest.removeprefix("sha256:")

    async def story() -> None:
        await ImageSupplies(images, control.download, lambda: 0.0).bring(index, list)
        assert other not in control.given
        assert (await images.rootfs(index)).digest == mine

    asyncio.run(story())


def test_what_is_not_what_was_asked_for_is_not_kept(tmp_path: Path) -> None:
    control, images = Control(tmp_path / "control"), store(tmp_path / "worker")
    digest = push(control.images, "fn", layer(entry("a")))
    supplies = ImageSupplies(images, control.download, lambda: 0.0)

    async def story() -> None:
        control.lies = True
        with pytest.raises(StartFailed, match="cannot be kept"):
            await supplies.bring(digest, list)
        assert not supplies.has(digest)
        assert list(images.blobs.all()) == []
        control.lies = False
        await supplies.bring(digest, list)
        assert supplies.has(digest)

    asyncio.run(story())
