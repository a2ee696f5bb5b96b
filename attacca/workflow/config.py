"""The settings of workflows: what the domain is called, where it is mirrored, and what resources of a node may do."""

from typing import Annotated

import msgspec

from attacca.kernel.registry import Choice
from attacca.workflow.mirror.config import MirrorConfig

DOMAIN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?!\n)$"


class WorkflowsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, msgspec.Meta(pattern=DOMAIN)] = "attacca"
    placement: Choice = Choice(policy="random")  # of instances on workers
    mirror: MirrorConfig = MirrorConfig()


class ResourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """They run in the worker's own process, outside of every sandbox. `hosts`: names, addresses or networks that may
    be spoken to, or `*`."""

    classes: tuple[str, ...] = ()  # those that there are; empty: all that are installed
    hosts: tuple[str, ...] = ()  # beside those of the network that are neither this machine nor on its link
    only_hosts: bool = False  # these and no others
