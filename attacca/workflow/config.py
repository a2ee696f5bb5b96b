"""The settings of workflows: what the domain is called, where it is mirrored, who else may speak to it, and what the
resources of a node may do."""

from typing import Annotated

import msgspec

from attacca.kernel.registry import Choice
from attacca.workflow.dataset import DatasetConfig
from attacca.workflow.mirror.config import MirrorConfig

DOMAIN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?!\n)$"
PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d\d|6[0-4]\d{3}|[1-5]?\d{1,4})"
URL = rf"^(http://(\[[0-9a-fA-F:]+\]|[^/:\s\[\]]+):{PORT}/?)?(?!\n)$"


class WorkflowsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, msgspec.Meta(pattern=DOMAIN)] = "attacca"
    edgeless_url: Annotated[str, msgspec.Meta(pattern=URL)] = ""  # http://HOST:PORT, for the command line of EDGELESS
    edgeless_nodes_url: Annotated[str, msgspec.Meta(pattern=URL)] = ""  # likewise, for the nodes of EDGELESS
    placement: Choice = Choice(policy="random")  # of instances on workers
    mirror: MirrorConfig = MirrorConfig()
    dataset: DatasetConfig = DatasetConfig()


class ResourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """They run in the worker's own process, outside of every sandbox. `hosts`: names, addresses or networks that may
    be spoken to, or `*`."""

    classes: tuple[str, ...] = ()  # those that there are; empty: all that are installed
    hosts: tuple[str, ...] = ()  # beside those of the network that are neither this machine nor on its link
    only_hosts: bool = False  # these and no others
    directory: str = ""  # where their files are; `resources` below the state directory where nothing is said
