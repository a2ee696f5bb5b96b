"""What can be set about pods, read once and checked whole."""

from ipaddress import ip_network
from typing import Annotated

import msgspec

LABEL = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(?!\n)$"  # RFC 1123
IDENTITY = r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?(?!\n)$"
Named = Annotated[str, msgspec.Meta(pattern=LABEL, description="letters, digits and dashes, lower-case")]
Block = Annotated[str, msgspec.Meta(max_length=60, description="a network, such as 10.1.0.0/16 or 2001:db8::/64")]
Subdomain = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(?!\n)$")]


class KubernetesOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where nothing is said of a cluster, there is none. How much may lie in /tmp is as for processes."""

    kubeconfig: str | None = None  # a file as kubectl has it; its exec plugins are not run
    context: str | None = None  # of that file; unset: its current one
    in_cluster: bool = False  # the server is itself in a pod, and its service account is used
    namespace: Named | None = None  # of the pods; unset: that of the context, or of the service account
    identity: Annotated[str, msgspec.Meta(pattern=IDENTITY)] | None = None  # unset: kept in the state directory
    image_pull_secret: Subdomain | None = None
    service_account: Subdomain | None = None  # that pods are said to have; its token is not given to them
    runtime_class: Subdomain | None = None  # such as gvisor or kata, where the cluster has one
    # Networks whose hosts may ask pods; unset: the worker alone, as far as it knows its own address.
    callers: Annotated[tuple[Block, ...], msgspec.Meta(min_length=1, max_length=64)] | None = None
    root: bool = False  # images whose program is root's may run; otherwise the cluster refuses them
    # Until a program listens: a node is found, and the image is pulled.
    start_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 120.0

    def __post_init__(self) -> None:
        if self.kubeconfig is not None and self.in_cluster:
            raise ValueError("kubeconfig and in_cluster name two clusters; leave one of them out")
        if self.context is not None and self.kubeconfig is None:
            raise ValueError("context is one of a kubeconfig, and that is not set")
        for block in self.callers or ():
            try:
                ip_network(block)
            except ValueError as error:
                raise ValueError(f"callers are networks, as 10.1.0.0/16 is: {error}") from None

    @property
    def is_on(self) -> bool:
        return self.kubeconfig is not None or self.in_cluster
