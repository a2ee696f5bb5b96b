"""What verbs do with images: those that are packed or pulled here, and the way to the server's registry."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from attacca.errors import BadConfig

if TYPE_CHECKING:
    from attacca.images.store import ImageStore


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "attacca")


def store() -> "ImageStore":
    from attacca.images.store import ImageStore

    images = ImageStore(cache() / "images", cache() / "tmp")
    images.open()
    return images


def push(images: "ImageStore", digest: str, tag: str, url: str, token: str, *, quiet: bool) -> None:
    """To the server's own registry."""
    from attacca.cli.screens.progress import counted
    from attacca.client.http import Client
    from attacca.images import pulling
    from attacca.images.core.names import Reference, is_repository, is_tag
    from attacca.images.remote import Remote

    repository, _, version = tag.partition(":")
    if not is_repository(repository) or not is_tag(version or "latest"):
        raise BadConfig(f"--tag {tag[:100]!r} is the name of no image", "--tag NAME:TAG, in lower case")
    with Client(url, token) as client:  # in a cluster a gateway sends on to control, and images are not sent twice
        url = client.json("GET", "/api/cluster")["leader"] or url
    at = urlsplit(url if "://" in url else f"http://{url}")
    reference = Reference(at.netloc, repository, version or "latest")
    remote = Remote(reference, f"attacca:{token}" if token else "", is_plain=at.scheme == "http")
    with counted("pushing", quiet=quiet) as tick:
        pulling.push(images, digest, remote, tick=tick)


def is_named(text: str, runtime: str | None) -> bool:
    """Is it the name of an image somewhere, and no path? It has a host, a tag or a digest, or is said to be one."""
    if Path(text).exists():
        return False
    host, slash, _ = text.partition("/")
    has_host = bool(slash) and ("." in host.strip(".") or ":" in host or host == "localhost")
    return runtime == "container" or "@sha256:" in text or (has_host and not text.startswith((".", "/")))


def pulled(
    text: str, labels: Mapping[str, str], mirrors: Sequence[str] = (), *, quiet: bool
) -> tuple["ImageStore", str, str]:
    """The image of that name, with these labels besides: where it is, its digest, and how a function of it is called.

    Raises:
        AttaccaError: it is not to be had.
    """
    from attacca.cli.screens.progress import counted
    from attacca.cli.screens.terminal import say
    from attacca.client.source import default_name
    from attacca.images.build import relabelled
    from attacca.images.core.mirrors import read
    from attacca.images.core.names import parse
    from attacca.images.pulling import pull_from

    reference, stand_ins, images = parse(text), read(mirrors), store()
    with counted("pulling", quiet=quiet) as tick:
        digest = pull_from(reference, stand_ins, images, say, tick=tick)
    return images, relabelled(images, digest, labels), default_name(Path(reference.repository.rpartition("/")[2]))


def as_labels(flags: Mapping[str, object], env: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """Options of `attacca deploy`, as a registry is told them."""
    wanted = {key: value for key, value in flags.items() if value is not None and key not in ("name", "runtime")}
    given = {
        key: str(value).lower()
        if isinstance(value, bool)
        else " ".join(value)
        if isinstance(value, list)
        else str(value)
        for key, value in wanted.items()
    }
    given |= {f"env.{key}": value for key, value in env.items()}
    given |= {f"secrets.{key}": value for key, value in secrets.items()}
    if flags.get("runtime") == "process":  # `attacca.model.image.Contract.GUEST`
        given["contract"] = "guest"
    return {f"attacca.{key}": value for key, value in given.items()}
