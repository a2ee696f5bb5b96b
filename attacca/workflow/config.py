"""What the resources of a node may do. They run in the worker's own process, outside of every sandbox."""

import msgspec


class ResourceConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hosts`: names, addresses or networks that may be spoken to, or `*`."""

    classes: tuple[str, ...] = ()  # those that there are; empty: all that are installed
    hosts: tuple[str, ...] = ()  # beside those of the network that are neither this machine nor on its link
    only_hosts: bool = False  # these and no others
