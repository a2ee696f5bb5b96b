"""What the worker tells a process that the zygote has forked about what it is to be; JSON, in its own channel.

Of all this the zygote hears nothing: what passes through it stays in memory that later children inherit.
"""

import struct
from typing import TypedDict

from attacca.guest.spec import AgentSpec

# What does pass through a process that forks, with the child's descriptors: the number of the birth, who of the range
# of users the child is to be, and in which of the zygote's networks and homes it is born: 0 for where the zygote
# happens to be, or for its hall, from which it goes on by itself; and how many of the descriptors, the last ones, are
# those by which it enters its cgroup before anything else. Births are numbered from 1; 0 with no descriptors is a
# template's GO, and has a zygote let go of a home.
BIRTH = struct.Struct("<IIIII")
NEW_NETWORK = NEW_HOME = 1 << 31  # with the number of one: what was of that number is no more
AT_HOME, FOUNDER = "at home", "founder"


class SpawnSpec(AgentSpec):
    """Be one sandbox, or, when `template`, one that can be forked from."""

    template: bool
    code: str  # digest; with isolation off, a path; in an image where it begins
    image: str  # what the directory of its root is called among those of images; empty: it is in none
    bundle: str | None
    env: dict[str, str]
    secrets: dict[str, str]  # files below rootfs.SECRETS: names, and bytes as latin-1 has them
    devices: list[str]  # numbers of the accelerators that it is given
    host_network: bool
    is_connected: bool  # it is born in a network of its own
    home: str  # AT_HOME: it is born in what it is to see; FOUNDER: it leaves that to others, and goes on in a copy
    is_plugged: bool  # it is given a way out before GO, and a resolver within
    space_mb: int  # of /tmp and of /dev/shm
    limits: dict[str, int]  # names of resource.RLIMIT_*, without the prefix


class ZygoteSetting(TypedDict):
    """How the supervisor is to set up the zygote."""

    prefix: str
    code: str
    bundles: str
    images: str  # their roots; empty: there are none
    isolate: bool
    outer_id: int  # the first of the host's users that sandboxes are; our own when we cannot choose
    outer_group: int
    users: int  # how many there are
    privileged: bool
    groups: list[str]  # the worker's own cgroups, to be removed when it is gone
    realm: int  # a descriptor of the user namespace below which all are born; -1: our own
    seat: str  # the one that it lives in itself, as whom it starts does; or empty
    furnished: bool  # it has modules that most libraries import
