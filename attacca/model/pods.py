"""What a function may say that runs in pods of a Kubernetes cluster."""

from typing import Annotated, Protocol

import msgspec

from attacca.model import egress

IMAGE = "an image that the cluster can pull, such as ghcr.io/team/shop:v1 or one with @sha256:DIGEST"
SHAPE = r"^([a-zA-Z0-9]([a-zA-Z0-9._/:-]*[a-zA-Z0-9_])?(@sha256:[0-9a-f]{64})?)?(?!\n)$"
ImageName = Annotated[str, msgspec.Meta(max_length=400, pattern=SHAPE, description=IMAGE)]
RUNTIME = "kubernetes"


class OfPods(Protocol):
    """A function's settings."""

    @property
    def image(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def allow(self) -> tuple[str, ...]: ...
    @property
    def bandwidth_mbps(self) -> float | None: ...


def expect(asking: OfPods) -> None:
    """
    Raises:
        ValueError: they make no sense together.
    """
    if asking.runtime != RUNTIME and not asking.image:
        return
    if asking.runtime != RUNTIME:
        raise ValueError(f'image is what a Kubernetes cluster pulls, and so needs runtime = "{RUNTIME}"')
    if not asking.image:
        raise ValueError(f'runtime = "{RUNTIME}" needs image: {IMAGE}')
    if asking.bandwidth_mbps is not None:
        raise ValueError(f'nothing holds pods to bandwidth_mbps; leave it out where runtime = "{RUNTIME}"')
    for entry in asking.allow:
        if not egress.parse(entry).network:
            raise ValueError(f"allow: a cluster's policies know networks and no names: give an address for {entry!r}")
