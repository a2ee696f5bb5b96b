"""Images made by hand, so that nothing in them is corrected."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from attacca.images.core.manifests import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from attacca.images.store import ImageLimits, ImageStore


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname, info.mtime = kind, mode, len(content), link, 1000
    return info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)


def directory(name: str, mode: int = 0o755) -> bytes:
    return entry(name, kind=tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> bytes:
    return entry(name, kind=tarfile.SYMTYPE, link=target)


def link(name: str, target: str) -> bytes:
    return entry(name, kind=tarfile.LNKTYPE, link=target)


def layer(*entries: bytes) -> bytes:
    return b"".join(entries) + bytes(1024)


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def parts(*layers: bytes, runs: dict[str, object] | None = None, level: int = 9) -> tuple[list[bytes], bytes]:
    """The blobs of an image, its configuration first, and its manifest."""
    config = json.dumps({
        "architecture": "", "os": "linux", "config": runs or {"Cmd": ["/bin/run"], "Env": None},
        "rootfs": {"type": "layers", "diff_ids": [sha(one) for one in layers]},
    }).encode()  # fmt: skip
    blobs = [config, *(gzip.compress(one, level, mtime=0) for one in layers)]
    kinds = [OCI_CONFIG] + [OCI_LAYER] * len(layers)
    told = [{"mediaType": kind, "digest": sha(one), "size": len(one)} for kind, one in zip(kinds, blobs, strict=True)]
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": told[0], "layers": told[1:]}
    return blobs, json.dumps(manifest).encode()


def store(path: Path, limits: ImageLimits | None = None) -> ImageStore:
    made = ImageStore(path / "images", path / "tmp", limits)
    made.open()
    return made


def push(images: ImageStore, repository: str, *layers: bytes, tag: str = "latest") -> str:
    """Which image it is, as `rootfs` wants it."""
    blobs, manifest = parts(*layers)
    for blob in blobs:
        images.shelves.add(repository, images.blobs.put(blob))
    return images.put(repository, manifest, tags=(tag,)).descriptor.digest.removeprefix("sha256:")


def saved(*layers: bytes) -> bytes:
    """As `docker save` wrote it before it knew the OCI's layout."""
    config = json.dumps({"os": "linux", "rootfs": {"diff_ids": [sha(one) for one in layers]}}).encode()
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    told = json.dumps([{"Config": "c.json", "RepoTags": ["fn:latest"], "Layers": names}]).encode()
    files = {"c.json": config, "manifest.json": told, **dict(zip(names, layers, strict=True))}
    return layer(*(entry(name, data) for name, data in files.items()))


def tarred(path: Path) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        return archive.getnames()
